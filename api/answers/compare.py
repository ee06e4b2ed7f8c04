"""overbudget.open(…).compare()."""

from typing import TYPE_CHECKING

from overbudget.analysis.budget.model import Budget
from overbudget.analysis.compare.compare import Comparison, Side, compare
from overbudget.answers.answer import Answer, Form
from overbudget.answers.tables import WHOLE, readable, tables_in
from overbudget.app.text.compare import sentences

if TYPE_CHECKING:
    import plotly.graph_objects as go


def ask(base: Side, candidate: Side, budget: Budget | None) -> Answer[Comparison]:
    """What changed from the base to the candidate; its chart is the latency of both."""
    found = compare(base, candidate, budget)

    def figure() -> "go.Figure":
        from overbudget.analysis.requests.read import load_requests
        from overbudget.app.charts.cohorts import cohorts_figure

        before, after = (load_requests(side.connection, budget, side.filters).latency_ns for side in (base, candidate))
        return cohorts_figure({"candidate": after, "base": before})

    return Answer(found, found.as_dict, lambda: form(found), figure)


def form(found: Comparison) -> Form:
    """Changes of the percentiles of the whole request and of each stage."""
    said = found.as_dict()
    changes = [*({"stage": WHOLE, **row} for row in said["end_to_end"]), *said["stages"]]
    return Form(sentences(found), {"changes": changes, **tables_in(said)}, readable(changes))
