"""The router of the dashboard."""

from pathlib import Path

import duckdb
import streamlit as st

from overbudget.app.dashboard import sidebar
from overbudget.app.dashboard.wording import literal
from overbudget.store.dataset import damage
from overbudget.store.errors import OverbudgetError

# not "pages": Streamlit would serve what is in a folder of that name by itself, past this router
PAGES = Path(__file__).parent / "views"
TITLES = {
    "review": "Review",
    "tail": "Tail",
    "waterfall": "Waterfall",
    "advice": "What to do",
    "load": "Load and consistency",
    "compare": "Compare",
    "health": "Trace health",
    "sql": "SQL",
    "datasets": "Datasets",
}

st.set_page_config(page_title="overbudget", layout="wide", initial_sidebar_state="auto")
st.html(Path(__file__).parent / "style.html")
pages = [
    st.Page(PAGES / f"{name}.py", title=title, url_path=name if name != "review" else None, default=name == "review")
    for name, title in TITLES.items()
]
page = st.navigation(pages, expanded=True)
sidebar.follow()
try:
    page.run()
except (OverbudgetError, duckdb.Error) as error:
    said = str(error) if isinstance(error, OverbudgetError) else damage(error)
    if said is None:
        raise
    st.error(literal(said))
    st.page_link("views/datasets.py", label="Go to Datasets to open another one, or to delete this one")
