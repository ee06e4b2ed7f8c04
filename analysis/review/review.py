"""The review: is a latency budget met, at which percentile is it not, and which stage and operation are the cause.

`review` does it all. A page that redraws calls the three steps separately and keeps what has not changed:
`read_evidence` (the dataset, and the budget's rules), `measure` (filters), `judge` (caps; milliseconds).
"""

from collections.abc import Sequence

import duckdb

from overbudget.analysis.budget.model import Budget
from overbudget.analysis.common.percentiles import PERCENTILES
from overbudget.analysis.requests.table import Filters
from overbudget.analysis.review.evidence import read_evidence
from overbudget.analysis.review.judge import judge
from overbudget.analysis.review.measure import measure
from overbudget.analysis.review.over import Over, over, unjudged
from overbudget.analysis.review.result import Review
from overbudget.analysis.review.rows import TOTAL
from overbudget.analysis.review.verdicts import verdict

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
    """The review of the requests that pass `filters`. Without a budget, verdicts are None and the rest is the same."""
    evidence = read_evidence(connection, budget)
    routes = tuple(budget.routes) if budget else ()
    return judge(
        measure(evidence, filters, percentiles, include_incomplete, routes, bool(budget and budget.failures_apart)),
        budget,
    )
