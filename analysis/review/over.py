"""Which caps a review finds exceeded, and which it could not judge."""

from typing import NamedTuple

from overbudget.analysis.budget.model import LIMIT
from overbudget.analysis.budget.parse import MODEL_STAGE
from overbudget.analysis.review.limits import CallLimitRow, LimitRow
from overbudget.analysis.review.result import Review
from overbudget.analysis.review.rows import FIRST_TOKEN, TOTAL, CallRow, FirstTokenRow, PercentileRow, StageRow


class Over(NamedTuple):
    """A cap that is exceeded: `stage` is TOTAL for the whole request, `route` None for all routes together. `figure` is
    FIRST_TOKEN where the request's first token is late, or the figure of each model call of the stage, or of `model`.
    Where a limit is exceeded, `percentile` is LIMIT, `latency_ns` the longest, and `requests`, or `calls`, how many exceed
    it."""

    stage: str
    percentile: int
    route: str | None
    latency_ns: int
    budget_ns: int
    failed: bool = False
    figure: str | None = None
    model: str | None = None
    requests: int | None = None
    calls: int | None = None


def over(review: Review) -> list[Over]:
    """Every cap that is certainly exceeded (verdict `over`), routes' own caps included."""
    caps = [_over(row, route) for route, row in every_row(review) if row.verdict == "over"]
    limits = [_exceeded(row) for row in review.limits if row.exceeded]
    return [*caps, *limits, *(_calls_exceed(row) for row in review.call_limits if row.exceeded)]


def _exceeded(row: LimitRow) -> Over:
    figure = FIRST_TOKEN if row.stage == FIRST_TOKEN else None
    stage = TOTAL if figure else row.stage
    return Over(stage, LIMIT, row.route, row.longest_ns or 0, row.limit_ns, figure=figure, requests=row.exceeded)


def _calls_exceed(row: CallLimitRow) -> Over:
    stage, model = _whose(row)
    longest_ns = row.longest_ns or 0
    return Over(stage, LIMIT, None, longest_ns, row.limit_ns, figure=row.figure, model=model, calls=row.exceeded)


def _whose(row: CallRow | CallLimitRow) -> tuple[str, str | None]:
    """The stage whose calls a row is about, and the model where it is about one."""
    return (row.of, None) if row.kind == "stage" else (MODEL_STAGE, row.of)


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
        (stage, model), figure = _whose(row), row.figure
    return Over(stage, row.percentile, route, row.latency_ns or 0, row.budget_ns or 0, row.failed, figure, model)


def unjudged(review: Review) -> list[PercentileRow | LimitRow | CallLimitRow]:
    """Every cap and limit that could not be judged, routes' own included."""
    rows = [row for _, row in every_row(review) if row.verdict == "unknown"]
    limits: list[LimitRow | CallLimitRow] = [*review.limits, *review.call_limits]
    return [*rows, *(row for row in limits if row.verdict == "unknown")]
