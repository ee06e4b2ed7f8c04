"""overbudget.open(…).load()."""

from typing import TYPE_CHECKING

import duckdb

from overbudget.analysis.budget.model import Budget
from overbudget.analysis.load.load import Load, load
from overbudget.analysis.requests.table import Filters
from overbudget.answers.answer import Answer, form_of
from overbudget.app.text.load import sentences

if TYPE_CHECKING:
    import plotly.graph_objects as go


def ask(connection: duckdb.DuckDBPyConnection, budget: Budget | None, filters: Filters) -> Answer[Load]:
    """Latency against load; its chart is p50 and p95 against the requests in flight."""
    found = load(connection, budget, filters)

    def figure() -> "go.Figure":
        from overbudget.app.charts.under_load import under_load_figure

        return under_load_figure(found.bins, found.budget_ns, "in flight")

    return Answer(found, found.as_dict, lambda: form_of(sentences(found), found.as_dict(), "bins"), figure)
