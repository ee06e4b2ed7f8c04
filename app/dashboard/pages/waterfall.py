"""The waterfall of one trace, its critical path marked."""

import streamlit as st

from analysis.behind import describe, slowest
from analysis.trace import load_trace
from app.dashboard import blocks, cache, state
from app.dashboard.components.waterfall import waterfall
from app.dashboard.span_details import span_details, trace_summary
from store.errors import OverbudgetError

dataset = state.choose_dataset()
if not dataset:
    st.info("There is no dataset yet. Drop a trace dump on the Datasets page first.")
    st.stop()
connection = cache.connection(dataset)
asked = state.choose_trace()
try:
    if not asked:
        table = cache.evidence(dataset, None).requests
        found = describe(connection, table, slowest(table, 1))
        if not found:
            st.info("This dataset has no requests.")
            st.stop()
        asked = found[0].trace_id
        blocks.caption("The slowest request. Choose another on the Review page, or write its trace id in the side bar.")
    trace = load_trace(connection, asked)
except OverbudgetError as error:
    st.error(str(error))
    st.stop()
state.show_trace(trace.trace_id)
trace_summary(trace)
selected = waterfall(trace, key=f"waterfall {trace.trace_id}")
span_details(trace, selected)
