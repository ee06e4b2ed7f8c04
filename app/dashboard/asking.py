"""One visitor's query: the last that was run, while it is answered and after."""

import time

import streamlit as st

from overbudget.app.dashboard.sidebar import kept
from overbudget.app.dashboard.state import workspace
from overbudget.app.dashboard.wording import literal
from overbudget.app.server.questions.queries import Query, queries_of_server
from overbudget.store.errors import OverbudgetError

KEY, REFUSED = "query that was run", "why no query was run"
AT_ONCE_S = 0.4  # how long the page itself waits: most answers are there by then
EVERY_S = 0.5  # how often is looked after that


def run(text: str) -> None:
    """From a callback: ask the dataset that is shown, instead of what was asked before."""
    _drop()
    try:
        path = workspace().path(str(kept("dataset")))
        st.session_state[KEY] = queries_of_server().ask(path, text)
    except OverbudgetError as error:
        st.session_state[REFUSED] = str(error)


def answered(dataset: str, text: str) -> Query | None:
    """The query `text` to `dataset` once it is answered; None before, when the page shows how far it is or what to press."""
    queries_of_server().prepare()
    if refused := st.session_state.pop(REFUSED, None):
        st.error(literal(refused))
        return None
    query: Query | None = st.session_state.get(KEY)
    if query is not None and (query.text, query.dataset) != (text, workspace().path(dataset)):
        _drop()
        query = None
    if query is None:
        st.info("Press Run for the answer." if text.strip() else "Write a query, or choose an example.")
        return None
    if not query.look(AT_ONCE_S):
        _waiting(query)
        return None
    return query


@st.fragment(run_every=EVERY_S)
def _waiting(query: Query) -> None:
    """How far it is, asked for again and again until it has ended: a page that nobody has open asks no more."""
    before = queries_of_server().before(query)
    if query.look():
        st.rerun()
    running = f"Running for {int(time.monotonic() - query.asked)} s …"
    st.info(running if before is None else f"Waiting: {before:,} asked before this one.")
    st.button("Cancel", on_click=_cancel, args=(query,))


def _cancel(query: Query) -> None:
    query.cancel()
    query.look(AT_ONCE_S)


def _drop() -> None:
    if query := st.session_state.pop(KEY, None):
        query.cancel()
