"""Which caps a review finds exceeded, and which it could not judge."""

from typing import NamedTuple

from overbudget.analysis.budget.parse import MODEL_STAGE
from overbudget.analysis.review.result import Review
from overbudget.analysis.review.rows import FIRST_TOKEN, TOTAL, CallRow, FirstTokenRow, PercentileRow, StageRow


class Over(NamedTuple):
    """A cap that is exceeded: `stage` is TOTAL for the whole request, `route` None for all routes together. `figure` is
    FIRST_TOKEN where the request's first token is late, or the figure of each model call of the stage, or of `model`."""

    stage: str
    percentile: int
    route: str | None
    latency_ns: int
    budget_ns: int
    failed: bool = False
    figure: str | None = None
    model: str | None = None


def over(review: Review) -> list[Over]:
    """Every cap that is certainly exceeded (verdict `over`), routes' own caps included."""
    return [_over(row, route) for route, row in every_row(review) if row.verdict == "over"]


def every_row(review: Review) -> list[tuple[str | None, PercentileRow]]:
    """Every percentile that may have a cap, with its route: None for all routes together."""
    rows = [*review.end_to_end, *review.first_token, *review.stages, *review.calls]
    of_routes = [(one.route, row) for one in review.routes for row in (*one.end_to_end, *one.first_token, *one.stages)]
    return [*((None, row) for row in rows), *of_routes]


def _over(row: PercentileRow, route: str | None) -> Over:
    stage, figure, model = TOTAL, None, None
    if isinstance(row, StageRow):
        stage = row.stage
    elif isinstance(row, FirstTokenRow):
        figure = FIRST_TOKEN
    elif isinstance(row, CallRow):
        stage, figure = (row.of if row.kind == "stage" else MODEL_STAGE), row.figure
        model = row.of if row.kind == "model" else None
    return Over(stage, row.percentile, route, row.latency_ns or 0, row.budget_ns or 0, row.failed, figure, model)


def unjudged(review: Review) -> list[PercentileRow]:
    """Every cap that could not be judged, routes' own included."""
    return [row for _, row in every_row(review) if row.verdict == "unknown"]
