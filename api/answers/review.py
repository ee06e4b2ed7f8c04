"""overbudget.open(…).review()."""

from typing import TYPE_CHECKING

import duckdb

from overbudget.analysis.budget.model import Budget
from overbudget.analysis.requests.read import require_known
from overbudget.analysis.requests.table import Filters
from overbudget.analysis.review.result import Review
from overbudget.analysis.review.review import judge, measure, read_evidence
from overbudget.answers.answer import Answer, Form
from overbudget.answers.tables import WHOLE, Rows, tables_in
from overbudget.app.text.headline import also, headline
from overbudget.app.text.notes import notes
from overbudget.app.text.review import facts_text
from overbudget.app.text.tables import average_rows, percentile_rows

if TYPE_CHECKING:
    import plotly.graph_objects as go


def ask(
    connection: duckdb.DuckDBPyConnection, budget: Budget | None, filters: Filters, include_incomplete: bool
) -> Answer[Review]:
    """The review of the requests that pass `filters`."""
    evidence = read_evidence(connection, budget)
    require_known(evidence.requests, filters)
    routes = tuple(budget.routes) if budget else ()
    found = judge(
        measure(
            evidence,
            filters,
            include_incomplete=include_incomplete,
            routes=routes,
            failures_apart=bool(budget and budget.failures_apart),
        ),
        budget,
    )

    def figure() -> "go.Figure":
        from overbudget.app.charts.breakdown import breakdown_figure

        return breakdown_figure(found)

    return Answer(found, found.as_dict, lambda: form(found), figure)


def form(found: Review) -> Form:
    """The percentiles of the whole request and of each stage."""
    said = found.as_dict()
    percentiles = [{"stage": WHOLE, **row} for row in said["end_to_end"]] + said["stages"]
    breakdown = [
        {"percentile": made_of["percentile"], "band_latency_ns": made_of["band_latency_ns"], **stage}
        for made_of in said["breakdown"]
        for stage in made_of["stages"]
    ]
    tables = {"percentiles": percentiles, **tables_in(said), "breakdown": breakdown}
    return Form([*headline(found), *also(found), *notes(found), facts_text(found)], tables, _shown(found))


def _shown(found: Review) -> Rows:
    """A line for the whole request and each stage, a column for each percentile; averages where none can be given."""
    if not found.end_to_end or not found.end_to_end[0].n:
        return ()
    lines, columns = percentile_rows(found), [f"p{p}" for p in found.percentiles]
    if not lines:
        lines, columns = average_rows(found), ["time", "share"]
    capped = any(line.caps for line in lines)
    return [
        {"": line.label, **({"cap": line.caps} if capped else {})}
        | dict(zip(columns, (cell.text for cell in line.cells), strict=True))
        for line in lines
    ]
