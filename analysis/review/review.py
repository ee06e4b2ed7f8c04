"""The review: is a latency budget kept, at which percentile not, and which stage and operation are why.

`review` does it all. A screen that redraws takes its three steps apart and keeps what has not changed: `read_evidence`
(the dataset, and rules of the budget's own), `measure` (filters), `judge` (caps; milliseconds).
"""

from collections.abc import Sequence

import duckdb

from overbudget.analysis.budget.model import Budget
from overbudget.analysis.common.percentiles import PERCENTILES
from overbudget.analysis.requests.table import Filters
from overbudget.analysis.review.judge import judge, verdict
from overbudget.analysis.review.measure import measure, read_evidence
from overbudget.analysis.review.result import TOTAL, Over, Review, over, unjudged

__all__ = [
    "PERCENTILES",
    "TOTAL",
    "Filters",
    "Over",
    "Review",
    "judge",
    "measure",
    "over",
    "read_evidence",
    "review",
    "unjudged",
    "verdict",
]


def review(
    connection: duckdb.DuckDBPyConnection,
    budget: Budget | None = None,
    filters: Filters | None = None,
    percentiles: Sequence[int] = PERCENTILES,
    include_incomplete: bool = False,
) -> Review:
    """The review of the requests that `filters` leave. Without a budget verdicts are None and the rest still holds."""
    evidence = read_evidence(connection, budget)
    routes = tuple(budget.routes) if budget else ()
    return judge(
        measure(evidence, filters, percentiles, include_incomplete, routes, bool(budget and budget.failures_apart)),
        budget,
    )
