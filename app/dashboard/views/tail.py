"""What the slow requests have in common that typical ones do not."""

import streamlit as st

from overbudget.analysis.tail.operation_times import operation_times
from overbudget.analysis.tail.tail import tail
from overbudget.app.charts.cohorts import cohorts_figure
from overbudget.app.dashboard import blocks, cache, lists, sidebar, tail_cohorts
from overbudget.app.text.tail import operation_text, sentences

view = sidebar.view()
percentile = sidebar.percentile(95, least=75)
found = cache.ask(
    "tail", view,
    lambda: tail(view.connection, view.budget, view.filters, percentile, requests=view.evidence.requests),
    percentile, capped=False,
)  # fmt: skip
blocks.say(sentences(found), "tail")
blocks.caption("Where the slow requests spend more time, on the critical path; choose one to see it in each request")
lists.slow_operations(found)
operation = lists.chosen("operation", found.operations)
slow, typical = cache.ask(
    "operation times", view, lambda: operation_times(view.connection, view.table, found, operation),
    percentile, operation, capped=False,
)  # fmt: skip
left, right = st.columns(2)
with left:
    blocks.caption(f"Time of {operation_text(operation).replace('`', '')} in each request")
    both = {f"slow ({found.slow:,})": slow, f"typical ({found.typical:,})": typical}
    figure = cache.ask("operation figure", view, lambda: cohorts_figure(both), percentile, operation, capped=False)
    blocks.chart(
        figure, "operation", "Share of slow and of typical requests in which the operation takes longer than x"
    )
if not found.attributes:
    blocks.caption("No attribute distinguishes the slow requests from the typical ones.")
    st.stop()
with right:
    picture = st.container()
blocks.caption("What they have more often than typical ones; choose one to see its requests")
lists.slow_attributes(found)
tail_cohorts.show(view, percentile, lists.chosen("attribute", found.attributes), picture)
