"""overbudget.open(…).allocate()."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import duckdb

from overbudget.analysis.allocate.allocate import Allocation, allocate
from overbudget.analysis.allocate.search import changes_of
from overbudget.analysis.allocate.total import parse_total, total_of
from overbudget.analysis.budget.model import Budget
from overbudget.analysis.requests.table import Filters
from overbudget.analysis.whatif.whatif import Workbench
from overbudget.answers.answer import Answer, form_of
from overbudget.app.text.allocate import sentences

if TYPE_CHECKING:
    import plotly.graph_objects as go


def ask(
    connection: duckdb.DuckDBPyConnection,
    total: str | None,
    fixed: Sequence[str],
    budget: Budget | None,
    filters: Filters,
) -> Answer[Allocation]:
    """Limits for every stage; its chart is the distribution with them and without."""
    bench = Workbench(connection, budget, filters)
    percentile, cap_ns = parse_total(total) if total is not None else total_of(budget, bench.table.routes)
    found = allocate(bench, percentile, cap_ns, fixed)

    def figure() -> "go.Figure":
        from overbudget.app.charts.cohorts import cohorts_figure

        changes = changes_of({one.stage: one.ns for one in found.limits})
        return cohorts_figure({"after": bench.durations(changes), "before": bench.table.latency_ns}, cap_ns)

    return Answer(found, found.as_dict, lambda: form_of(sentences(found), found.as_dict(), "caps"), figure)
