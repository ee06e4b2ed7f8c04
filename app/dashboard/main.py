"""The router of the dashboard."""

from pathlib import Path

import streamlit as st

PAGES = Path(__file__).parent / "pages"

st.set_page_config(page_title="overbudget", layout="wide", initial_sidebar_state="auto")
st.html(Path(__file__).parent / "style.html")
page = st.navigation(
    [
        st.Page(PAGES / "review.py", title="Review", default=True),
        st.Page(PAGES / "waterfall.py", title="Waterfall", url_path="waterfall"),
        st.Page(PAGES / "datasets.py", title="Datasets", url_path="datasets"),
    ]
)
page.run()
