"""What to change first, and a workbench to try it."""

import plotly.graph_objects as go
import streamlit as st

from overbudget.analysis.advice.advice import proposals, weigh, what_if_command
from overbudget.app.charts.cohorts import cohorts_figure
from overbudget.app.dashboard import blocks, cache, lists, sidebar, workbench
from overbudget.app.text.advice import summary
from overbudget.app.text.whatif import sentences

view = sidebar.view()
bench = cache.workbench(view)
proposed = cache.ask("proposals", view, lambda: proposals(bench), capped=False)
file = f"{view.dataset}.duckdb"
found = cache.ask("advice", view, lambda: weigh(bench, proposed, file, view.budget, view.filters))
blocks.say(summary(found), "advice")
ticked = lists.advice(found)
blocks.caption("Workbench: tick advice above, or say what else would change; every request is replayed with it")
changes = [*ticked, *workbench.changes(view)]
if not changes:
    blocks.caption("Nothing is changed yet: tick advice, or write a cap or a factor, and the whole distribution moves.")
    st.stop()
result = cache.ask("what if", view, lambda: bench.what_if(changes, view.budget), tuple(changes))
blocks.say(sentences(result), "workbench")
left, right = st.columns([2, 3])
with left:
    lists.before_after(result)
with right:

    def figure() -> go.Figure:
        return cohorts_figure({"after": bench.durations(changes), "before": bench.table.latency_ns}, result.budget_ns)

    drawn = cache.ask("before after", view, figure, tuple(changes))
    blocks.chart(drawn, "before after", "Share of requests slower than x, before and after the change")
blocks.caption("The same on the command line")
st.code(what_if_command(file, changes, view.filters), language="bash", wrap_lines=True)
