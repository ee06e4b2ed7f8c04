"""overbudget.open(…).consistency()."""

from typing import TYPE_CHECKING

import duckdb

from overbudget.analysis.budget.model import Budget
from overbudget.analysis.consistency.consistency import Consistency, consistency
from overbudget.analysis.requests.table import Filters
from overbudget.answers.answer import Answer, Form
from overbudget.answers.tables import readable, tables_in
from overbudget.app.text.consistency import sentences

if TYPE_CHECKING:
    import plotly.graph_objects as go


def ask(connection: duckdb.DuckDBPyConnection, budget: Budget | None, filters: Filters) -> Answer[Consistency]:
    """How predictable the latency is; its chart is the spread of the whole request and of each stage."""
    found = consistency(connection, budget, filters)

    def figure() -> "go.Figure":
        from overbudget.app.charts.spread import spread_figure

        return spread_figure((*([found.total] if found.total else []), *found.stages))

    return Answer(found, found.as_dict, lambda: form(found), figure)


def form(found: Consistency) -> Form:
    """How the whole request and each stage spread."""
    said = found.as_dict()
    spreads = [*([said["total"]] if said["total"] else []), *said["stages"]]
    return Form(sentences(found), {"spread": spreads, **tables_in(said)}, readable(spreads))
