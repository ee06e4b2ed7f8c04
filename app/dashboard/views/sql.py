"""Any question, in SQL: read-only, without access to files or the network, limited in time and rows."""

import streamlit as st

from overbudget.app.dashboard import blocks, cache, queries, sidebar
from overbudget.store.query import run_sql

view = sidebar.view(filtered=False)
blocks.say(["Ask the dataset in SQL", "Read-only DuckDB; a query may take 20 s and show 10,000 rows."], "sql")
main, side = st.columns([5, 2])
with side:
    queries.relations(view)
with main:
    query = queries.written()
    if not query.strip():
        st.info("Write a query, or choose an example.")
        st.stop()
    answer = cache.ask("sql", view, lambda: run_sql(view.connection, query, 10_000, 20.0), query, capped=False)
    queries.show(answer)
    blocks.caption("The same as a notebook cell")
    st.code(queries.notebook_cell(view.dataset, query), language="python", wrap_lines=True)
