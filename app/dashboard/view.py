"""What a visitor looks at."""

from dataclasses import dataclass

import duckdb

from overbudget.analysis.budget.model import Budget
from overbudget.analysis.requests.table import Filters, RequestTable
from overbudget.analysis.review.evidence import Evidence


@dataclass(frozen=True)
class View:
    """What a visitor looks at. `table` has the complete requests that pass the filters; `connection` is the visitor's cursor."""

    dataset: str
    connection: duckdb.DuckDBPyConnection
    budget: Budget | None
    filters: Filters
    evidence: Evidence
    table: RequestTable
