"""overbudget.open(…).tail()."""

from typing import TYPE_CHECKING

import duckdb

from overbudget.analysis.budget.model import Budget
from overbudget.analysis.requests.table import Filters
from overbudget.analysis.tail.tail import Tail, tail
from overbudget.answers.answer import Answer, form_of
from overbudget.app.text.tail import sentences

if TYPE_CHECKING:
    import plotly.graph_objects as go


def ask(
    connection: duckdb.DuckDBPyConnection,
    budget: Budget | None,
    filters: Filters,
    percentile: int,
    over_budget: bool,
) -> Answer[Tail]:
    """The slow requests against typical ones; its chart is the time of the worst operation in both."""
    found = tail(connection, budget, filters, percentile, over_budget)

    def figure() -> "go.Figure":
        from overbudget.analysis.requests.read import load_requests
        from overbudget.analysis.tail.operation_times import operation_times
        from overbudget.app.charts.cohorts import cohorts_figure

        if not found.operations:
            return cohorts_figure({})
        slow, typical = operation_times(
            connection, load_requests(connection, budget, filters), found, found.operations[0]
        )
        return cohorts_figure({f"slow ({found.slow:,})": slow, f"typical ({found.typical:,})": typical})

    return Answer(found, found.as_dict, lambda: form_of(sentences(found), found.as_dict(), "operations"), figure)
