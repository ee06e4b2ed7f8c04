"""The waterfall of one trace, its critical path marked."""

import streamlit as st

from overbudget.analysis.review.examples import describe, slowest
from overbudget.analysis.trace.runs_out import spent_caps
from overbudget.analysis.trace.trace import load_trace
from overbudget.analysis.trace.typical_durations import typical_durations
from overbudget.app.dashboard import blocks, cache, sidebar
from overbudget.app.dashboard.components.waterfall import waterfall
from overbudget.app.dashboard.span_details import download_trace, span_details, trace_summary

view = sidebar.view()
if not sidebar.asks_for_trace():
    found = cache.ask(
        "slowest", view, lambda: describe(view.connection, view.table, slowest(view.table, 1)), capped=False
    )
    if not found:
        st.info("There is no complete request here. Clear the filters in the side bar, or choose another dataset.")
        st.stop()
    st.session_state["trace"] = found[0].trace_id
    blocks.caption("The slowest request. Choose another on the Review page, or write its trace id in the side bar.")
asked = sidebar.trace_id()
trace = cache.ask("trace", view, lambda: load_trace(view.connection, asked), asked, capped=False)
typical = cache.ask("typical", view, lambda: typical_durations(view.connection, trace), asked, capped=False)
spent = spent_caps(trace, view.budget)
trace_summary(trace, spent, view.budget is not None and view.budget.reads_otherwise())
selected = waterfall(trace, typical, list(spent.values()), key=f"waterfall {trace.trace_id}")
span_details(trace, selected, typical)
download_trace(view.connection, trace)
