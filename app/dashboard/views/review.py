"""The review: is the budget kept, and if not, why."""

import streamlit as st

from overbudget.analysis.budget.caps import held_to, total_cap
from overbudget.analysis.consistency.consistency import windows_of
from overbudget.analysis.review.examples import describe
from overbudget.analysis.review.heatmap import grid_of
from overbudget.app.charts.breakdown import breakdown_figure
from overbudget.app.charts.exceedance import exceedance_figure
from overbudget.app.charts.heatmap import over_time_figure
from overbudget.app.charts.parts import key_of
from overbudget.app.dashboard import allocation, blocks, burn_down, cache, examples, sidebar, state
from overbudget.app.dashboard.cap_editor import cap_editor
from overbudget.app.dashboard.report import report_button
from overbudget.app.server.workspace import sample_of
from overbudget.app.text.tables import MADE_OF

view = sidebar.view()
review = cache.reviewed(view.dataset, view.budget, view.filters)
if sample := sample_of(view.dataset):
    blocks.caption(f"Sample “{sample.title}”. {sample.story}")
blocks.say_headline(review)
blocks.percentile_table(review)
with st.expander("Set the budget", expanded=state.editor_begins_open(view.dataset)):
    cap_editor(view.dataset, review)
    allocation.panel(view)
table = view.table
if any(one.stages for one in review.breakdown):
    blocks.caption(f"{MADE_OF}; dotted: the cap")
    made_of = cache.ask("breakdown", view, lambda: breakdown_figure(review))
    examples.chart(made_of, "breakdown", "Mean times of the requests nearest to each percentile, stacked")
    blocks.colour_key(key_of(review))
    burn_down.picture(review)
if len(table):
    grid = cache.ask("grid", view, lambda: grid_of(table.start_ns, table.latency_ns), capped=False)
    said, rows = examples.example_requests(review, table, grid)
    blocks.caption(said)
    listed = cache.ask("requests", view, lambda: describe(view.connection, table, rows), *rows.tolist(), capped=False)
    examples.request_table(listed, "requests")
    left, right = st.columns(2)
    with left:
        blocks.caption("Share of requests that take longer than this; × is the most a cap allows")
        caps = {row.budget_ns: row.percentile for row in review.end_to_end if row.budget_ns}
        slower = cache.ask("exceedance", view, lambda: exceedance_figure(table.latency_ns, caps))
        examples.chart(slower, "exceedance", "Share of requests slower than x")
    with right:
        versions = "; grey lines: the first request of a version" if review.deployments else ""
        blocks.caption(f"Latency over time; dotted: the cap on p95, red above: windows of time over it{versions}")
        windows = cache.ask("windows", view, lambda: windows_of(table, held_to(view.budget, table.routes).caps))
        cap = total_cap(view.budget, table.routes)
        over_time = cache.ask(
            "over time",
            view,
            lambda: over_time_figure(grid, cap.ns if cap else None, windows, review.deployments),
        )
        examples.chart(over_time, "over time", "Number of requests by start time and latency")
blocks.say_rest(review)
report_button(view, review)
