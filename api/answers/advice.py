"""overbudget.open(…).advise()."""

from typing import TYPE_CHECKING

import duckdb

from overbudget.analysis.advice.advice import Advice, proposals, weigh
from overbudget.analysis.budget.model import Budget
from overbudget.analysis.requests.table import Filters
from overbudget.analysis.whatif.whatif import Workbench
from overbudget.answers.answer import Answer, Form
from overbudget.app.text.advice import effect_text, summary, title

if TYPE_CHECKING:
    import plotly.graph_objects as go


def ask(
    connection: duckdb.DuckDBPyConnection,
    dataset: str,
    budget: Budget | None,
    filters: Filters,
    budget_file: str | None,
) -> Answer[list[Advice]]:
    """What to change, the largest effect first; the chart is the first one's effect on the distribution.

    `dataset` and `budget_file` are named in the commands.
    """
    bench = Workbench(connection, budget, filters)
    found = weigh(bench, proposals(bench), dataset, budget, filters, budget_file)

    def figure() -> "go.Figure":
        from overbudget.app.charts.cohorts import cohorts_figure

        if not found:
            return cohorts_figure({"now": bench.table.latency_ns})
        return cohorts_figure({"after": bench.durations(found[0].changes), "before": bench.table.latency_ns})

    return Answer(found, lambda: {"advice": [one.as_dict() for one in found]}, lambda: form(found), figure)


def form(found: list[Advice]) -> Form:
    """What to do, its effect, and the command that shows it."""
    shown = [{"what": title(one), "effect": effect_text(one), "try": one.command} for one in found]
    return Form(summary(found)[: 2 if found else 1], {"advice": [one.as_dict() for one in found]}, shown)
