"""Which caps a review finds exceeded, and which it could not judge."""

from typing import NamedTuple

from overbudget.analysis.budget.model import LIMIT
from overbudget.analysis.budget.parse import MODEL_STAGE
from overbudget.analysis.review.limits import LimitRow
from overbudget.analysis.review.result import Review
from overbudget.analysis.review.rows import FIRST_TOKEN, TOTAL, CallRow, FirstTokenRow, PercentileRow, StageRow


class Over(NamedTuple):
    """A cap that is exceeded: `stage` is TOTAL for the whole request, `route` None for all routes together. `figure` is
    FIRST_TOKEN where the request's first token is late, or the figure of each model call of the stage, or of `model`.
    Where a limit is exceeded, `percentile` is LIMIT, `latency_ns` the longest, and `requests` how many exceed it."""

    stage: str
    percentile: int
    route: str | None
    latency_ns: int
    budget_ns: int
    failed: bool = False
    figure: str | None = None
    model: str | None = None
    requests: int | None = None


def over(review: Review) -> list[Over]:
    """Every cap that is certainly exceeded (verdict `over`), routes' own caps included."""
    caps = [_over(row, route) for route, row in every_row(review) if row.verdict == "over"]
    return [*caps, *(_exceeded(row) for row in review.limits if row.exceeded)]


def _exceeded(row: LimitRow) -> Over:
    figure = FIRST_TOKEN if row.stage == FIRST_TOKEN else None
    stage = TOTAL if figure else row.stage
    return Over(stage, LIMIT, row.route, row.longest_ns, row.limit_ns, figure=figure, requests=row.exceeded)


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
