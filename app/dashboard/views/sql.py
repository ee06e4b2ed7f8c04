"""Any question, in SQL: read-only, without access to files or the network, within limits, and never from a link alone."""

import streamlit as st

from overbudget.app.dashboard import asking, blocks, queries, sidebar
from overbudget.app.dashboard.wording import literal
from overbudget.store.limits import as_written, limit

view = sidebar.view(filtered=False)
allowed = f"{as_written('query_time', limit('query_time'))} and show {limit('query_rows'):,} rows"
blocks.say(["Ask the dataset in SQL", f"Read-only DuckDB; a query may take {allowed}."], "sql")
main, side = st.columns([5, 2])
with side:
    queries.relations(view)
with main:
    text = queries.written()
    query = asking.answered(view.dataset, text)
    if query is not None and query.table is not None:
        queries.show(query.table)
    elif query is not None:
        st.error(literal(query.error))
    blocks.caption("The same as a notebook cell")
    st.code(queries.notebook_cell(view.dataset, text), language="python", wrap_lines=True)
