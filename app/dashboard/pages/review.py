"""The review: is the budget kept, and if not, why."""

import streamlit as st

from analysis.behind import describe, slowest
from analysis.requests import Filters
from app.charts.breakdown import breakdown_figure
from app.charts.exceedance import exceedance_figure
from app.dashboard import blocks, cache, state
from app.workspace import sample_of
from store.errors import OverbudgetError

dataset = state.choose_dataset()
if not dataset:
    st.info("There is no dataset yet. Drop a trace dump on the Datasets page to see where its latency goes.")
    st.page_link("pages/datasets.py", label="Go to Datasets")
    st.stop()
budget = state.budget_of(dataset)
try:
    evidence = cache.evidence(dataset, budget)
    filters = Filters(route=state.choose_route(sorted(evidence.requests.route.names)))
    review = cache.reviewed(dataset, budget, filters)
except OverbudgetError as error:
    st.error(str(error))
    st.stop()
sample = sample_of(dataset)
if sample:
    blocks.caption(f"Sample “{sample.title}”. {sample.story}")
blocks.say_headline(review)
blocks.percentile_table(review)
with st.expander("Set the budget", expanded=state.editor_begins_open(dataset)):
    blocks.budget_editor(dataset, review)
if any(made_of.stages for made_of in review.breakdown):
    blocks.caption(
        "What a request at each percentile is made of: mean stage times on the critical path; the dotted line is the cap"
    )
    st.plotly_chart(breakdown_figure(review), config={"displayModeBar": False}, key="breakdown")
table = evidence.requests.select(filters)
if len(table):
    blocks.caption("Share of requests that take longer than this")
    caps = {row.budget_ns: row.percentile for row in review.end_to_end if row.budget_ns}
    st.plotly_chart(exceedance_figure(table.latency_ns, caps), config={"displayModeBar": False}, key="exceedance")
    blocks.caption("The slowest requests; choose one to open its waterfall")
    chosen = blocks.request_table(describe(cache.connection(dataset), table, slowest(table)), "slowest")
    if chosen:
        st.switch_page("pages/waterfall.py", query_params={"dataset": dataset, "trace": chosen.trace_id})
blocks.say_notes(review)
