"""What a visitor looks at."""

from dataclasses import dataclass

import duckdb

from overbudget.analysis.budget.model import Budget
from overbudget.analysis.requests.table import Filters, RequestTable
from overbudget.analysis.review.measure import Evidence


@dataclass(frozen=True)
class View:
    """What a visitor looks at. `table` are the complete requests that the filters leave, `connection` is a cursor of their own."""

    dataset: str
    connection: duckdb.DuckDBPyConnection
    budget: Budget | None
    filters: Filters
    evidence: Evidence
    table: RequestTable
