"""The button that makes the report of what is on the page."""

import streamlit as st

from overbudget.analysis.review.result import Review
from overbudget.app.dashboard import cache
from overbudget.app.dashboard.view import View
from overbudget.app.html.report import review_html
from overbudget.app.text.markdown import markdown
from overbudget.app.text.review import review_blocks


def report_button(view: View, review: Review) -> None:
    """Download the review as one HTML file, or as Markdown; each is made on demand."""
    connection = view.connection
    with st.container(horizontal=True):
        st.download_button(
            "Report (HTML)",
            lambda: review_html(connection, view.dataset, review, view.budget, view.filters),
            f"{view.dataset}.html",
            "text/html",
            on_click="ignore",
        )
        text = cache.ask("markdown", view, lambda: markdown(review_blocks(review)))
        st.download_button("Summary (Markdown)", text, f"{view.dataset}.md", "text/markdown", on_click="ignore")
