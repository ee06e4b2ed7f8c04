"""What to change first, and a workbench to try it."""

import streamlit as st

from analysis.advice import proposals, weigh, what_if_command
from app.charts.cohorts import cohorts_figure
from app.dashboard import blocks, cache, frame, lists, workbench
from app.report.advice_text import summary
from app.report.whatif_text import sentences

view = frame.view()
bench = cache.workbench(view)
proposed = cache.ask("proposals", view, lambda: proposals(bench), capped=False)
file = f"{view.dataset}.duckdb"
found = cache.ask("advice", view, lambda: weigh(bench, proposed, file, view.budget, view.filters))
blocks.say(summary(found), "advice")
ticked = lists.advice(found)
blocks.caption("Workbench: tick advice above, or say what else would change; every request is replayed with it")
wishes = [*ticked, *workbench.wishes(view)]
if not wishes:
    blocks.caption("Nothing is changed yet: tick advice, or write a cap or a factor, and the whole distribution moves.")
    st.stop()
result = cache.ask("what if", view, lambda: bench.what_if(wishes, view.budget), tuple(wishes))
blocks.say(sentences(result), "workbench")
left, right = st.columns([2, 3])
with left:
    lists.before_after(result)
with right:
    after = cache.ask("durations", view, lambda: bench.durations(wishes), tuple(wishes))
    figure = cohorts_figure({"after": after, "before": bench.table.latency_ns}, result.budget_ns)
    blocks.chart(figure, "before after", "Share of requests slower than x, before and after the change")
blocks.caption("The same on the command line")
st.code(what_if_command(file, wishes, view.filters), language="bash", wrap_lines=True)
