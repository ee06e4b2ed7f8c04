"""The requests that have an attribute, against the others."""

from streamlit.delta_generator import DeltaGenerator

from overbudget.analysis.review.examples import RequestInfo, describe, slowest_of
from overbudget.analysis.tail.tail import SlowAttribute, cohorts
from overbudget.app.charts.cohorts import cohorts_figure
from overbudget.app.dashboard import blocks, cache
from overbudget.app.dashboard.examples import request_table
from overbudget.app.dashboard.view import View
from overbudget.app.text.tail import attribute_text


def show(view: View, percentile: int, attribute: SlowAttribute, picture: DeltaGenerator) -> None:
    """Both groups' latencies, drawn in `picture`, and below it the slowest requests that have the attribute."""
    with_it, without = cache.ask(
        "cohorts", view, lambda: cohorts(view.connection, view.table, attribute), percentile, attribute, capped=False
    )
    text = attribute_text(attribute).replace("`", "")
    named = {
        f"with it ({len(with_it):,})": view.table.latency_ns[with_it],
        f"others ({len(without):,})": view.table.latency_ns[without],
    }
    with picture:
        blocks.caption(f"Latency of requests with {text}, and of the others")
        alt = "Share of requests slower than x, with the attribute and without"
        figure = cache.ask("cohorts figure", view, lambda: cohorts_figure(named), percentile, attribute, capped=False)
        blocks.chart(figure, "cohorts", alt)
    blocks.caption(f"The slowest requests with {text}; choose one to open its waterfall")

    def slowest() -> list[RequestInfo]:
        return describe(view.connection, view.table, slowest_of(view.table, with_it))

    found = cache.ask("requests with it", view, slowest, percentile, attribute, capped=False)
    request_table(found, "requests with it")
