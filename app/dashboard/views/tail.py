"""What the slow requests have in common that typical ones have not."""

import streamlit as st

from analysis.tail import cohorts, tail
from app.charts.cohorts import cohorts_figure
from app.dashboard import blocks, cache, frame, lists
from app.report.tail_text import attribute_text, sentences

view = frame.view()
percentile = frame.percentile(95, least=75)
found = cache.ask(
    "tail", view, lambda: tail(view.connection, view.budget, view.filters, percentile), percentile, capped=False
)
blocks.say(sentences(found), "tail")
blocks.caption("Where the slow requests spend more time; per request, on the critical path")
lists.slow_operations(found)
if not found.attributes:
    blocks.caption("No attribute tells the slow requests from the typical ones.")
    st.stop()
blocks.caption("What they have more often than typical ones; choose one to see its requests")
lists.slow_attributes(found)
attribute = lists.chosen_attribute(found)
with_it, without = cache.ask(
    "cohorts", view, lambda: cohorts(view.connection, view.table, attribute), percentile, attribute, capped=False
)
blocks.caption(f"Latency of requests with {attribute_text(attribute).replace('`', '')}, and of the others")
named = {
    f"with it ({len(with_it):,})": view.table.latency_ns[with_it],
    f"others ({len(without):,})": view.table.latency_ns[without],
}
blocks.chart(cohorts_figure(named), "cohorts", "Share of requests slower than x, with the attribute and without")
