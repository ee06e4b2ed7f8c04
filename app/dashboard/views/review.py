"""The review: is the budget kept, and if not, why."""

import streamlit as st

from analysis.behind import describe
from analysis.consistency import windows_of
from analysis.over_time import grid_of
from app.charts.breakdown import breakdown_figure
from app.charts.exceedance import exceedance_figure
from app.charts.over_time import over_time_figure
from app.dashboard import behind, blocks, cache, frame, state
from app.dashboard.report import report_button
from app.workspace import sample_of

view = frame.view()
review = cache.reviewed(view.dataset, view.budget, view.filters)
if sample := sample_of(view.dataset):
    blocks.caption(f"Sample “{sample.title}”. {sample.story}")
blocks.say_headline(review)
blocks.percentile_table(review)
with st.expander("Set the budget", expanded=state.editor_begins_open(view.dataset)):
    blocks.cap_editor(view.dataset, review)
table = view.table
if any(made_of.stages for made_of in review.breakdown):
    blocks.caption(
        "What requests around each percentile are made of: mean stage times on the critical path; dotted: the cap"
    )
    behind.chart(breakdown_figure(review), "breakdown", "Stage times of requests at each percentile, stacked")
    blocks.stage_key(row.stage for row in review.stages if row.latency_ns)
if len(table):
    grid = grid_of(table.start_ns, table.latency_ns)
    said, rows = behind.requests_behind(review, table, grid)
    blocks.caption(said)
    behind.request_table(describe(view.connection, table, rows), "requests")
    left, right = st.columns(2)
    with left:
        blocks.caption("Share of requests that take longer than this; × is the most a cap allows")
        caps = {row.budget_ns: row.percentile for row in review.end_to_end if row.budget_ns}
        behind.chart(exceedance_figure(table.latency_ns, caps), "exceedance", "Share of requests slower than x")
    with right:
        blocks.caption("Latency over time; dotted: the cap on p95, red above: windows of time over it")
        windows = windows_of(table, view.budget.caps if view.budget else {})
        cap = next((row.budget_ns for row in review.end_to_end if row.percentile == 95), None)
        behind.chart(over_time_figure(grid, cap, windows), "over time", "How many requests were how slow when")
blocks.say_notes(review)
report_button(view, review)
