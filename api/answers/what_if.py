"""overbudget.open(…).what_if()."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import duckdb

from overbudget.analysis.budget.model import Budget
from overbudget.analysis.requests.table import Filters
from overbudget.analysis.whatif.changes import Change
from overbudget.analysis.whatif.whatif import WhatIf, Workbench
from overbudget.answers.answer import Answer, form_of
from overbudget.app.text.whatif import sentences

if TYPE_CHECKING:
    import plotly.graph_objects as go


def ask(
    connection: duckdb.DuckDBPyConnection, budget: Budget | None, filters: Filters, changes: Sequence[Change]
) -> Answer[WhatIf]:
    """Percentiles before and after; its chart is both distributions."""
    bench = Workbench(connection, budget, filters)
    found = bench.what_if(changes)

    def figure() -> "go.Figure":
        from overbudget.app.charts.cohorts import cohorts_figure

        return cohorts_figure({"after": bench.durations(changes), "before": bench.table.latency_ns}, found.budget_ns)

    return Answer(found, found.as_dict, lambda: form_of(sentences(found), found.as_dict(), "percentiles"), figure)
