"""What is left of the budget along the way, on the Review page."""

import streamlit as st

from overbudget.analysis.budget.caps import MAIN_PERCENTILE
from overbudget.analysis.review.result import Review
from overbudget.app.charts.burn_down import burn_down_figure
from overbudget.app.dashboard import blocks, sidebar
from overbudget.app.text.burn_down import title, told_percentiles


def picture(review: Review) -> None:
    """A row for each stage in the order of the path, at the percentile that is chosen; nothing without a cap on the whole
    request."""
    told = {f"p{percentile}": percentile for percentile in told_percentiles(review)}
    if not told:
        return
    usual = f"p{MAIN_PERCENTILE}" if MAIN_PERCENTILE in told.values() else list(told)[-1]
    caption = st.container()  # above the choice: what it chooses is read first
    percentile = told[sidebar.one_of("left at", list(told), usual) if len(told) > 1 else usual]
    with caption:
        blocks.caption(f"{title(review, percentile)}; blue: around p{percentile}, grey: typical requests")
    blocks.chart(
        burn_down_figure(review, percentile), "burn down", "What is left of the cap when each stage takes over"
    )
