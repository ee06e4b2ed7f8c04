"""What the slow requests have in common that typical ones do not: operations and attributes."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from overbudget.analysis.budget.caps import total_cap
from overbudget.analysis.budget.model import Budget
from overbudget.analysis.common.bands import LEAST_IN_BAND, TYPICAL, Ranking
from overbudget.analysis.common.percentiles import quantiles
from overbudget.analysis.requests.read import read_requests, require_known
from overbudget.analysis.requests.table import Filters, RequestTable, instant_ns
from overbudget.analysis.tail.attributes import (
    FROM,
    HOUR,
    HOUR_NS,
    LEAST_SLOW,
    OUTCOME,
    UNTIL,
    longest_calls,
    members,
    telling_attributes,
)
from overbudget.analysis.tail.operations import SlowOperation, slow_operations
from overbudget.analysis.tail.telling import REQUEST, SlowAttribute
from overbudget.kernels.arrow import numbers, row_of
from overbudget.store.errors import OverbudgetError

__all__ = ["REQUEST", "SlowAttribute", "Tail", "TooFew", "cohorts", "tail"]


@dataclass(frozen=True)
class Tail:
    """Slow requests (from `threshold_ns` on) against typical ones (p40 to p60); lists have the strongest first.

    `failed` has attributes that failed requests have more often than the others; `cap_ns` is the cap at `percentile` if
    slow means over that cap.
    """

    percentile: int
    threshold_ns: int
    slow: int
    typical: int
    slow_mean_ns: int
    typical_mean_ns: int
    operations: tuple[SlowOperation, ...]
    attributes: tuple[SlowAttribute, ...]
    cap_ns: int | None = None
    failed: tuple[SlowAttribute, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts and lists with the keys of docs/reference/json.md."""
        return {**asdict(self), "operations": [one.as_dict() for one in self.operations]}


class TooFew(OverbudgetError):
    """There are too few requests in a cohort to compare: an answer, not a mistake of the user."""

    def __init__(self, sentence: str, slow: int = 0, typical: int = 0) -> None:
        super().__init__(sentence)
        self.slow, self.typical = slow, typical

    def as_dict(self, percentile: int) -> dict[str, Any]:
        """The keys of docs/reference/json.md with empty values, and a `note` that says why."""
        nothing: dict[str, Any] = {"operations": [], "attributes": [], "failed": [], "note": str(self)}
        return {"percentile": percentile, "threshold_ns": None, "slow": self.slow, "typical": self.typical, **nothing}


def tail(
    connection: duckdb.DuckDBPyConnection,
    budget: Budget | None = None,
    filters: Filters | None = None,
    percentile: int = 95,
    over_budget: bool = False,
    requests: RequestTable | None = None,
) -> Tail:
    """The slow requests, at or beyond `percentile` or beyond the budget's cap for it, against the typical ones.

    `requests` are all requests under the rules of the budget; None to read them.

    Errors: TooFew where a cohort has too few requests; OverbudgetError where there is no cap, or no such request.
    """
    every = read_requests(connection, budget) if requests is None else requests
    require_known(every, filters or Filters())
    table = every.select(filters)
    if len(table) < 4 * LEAST_IN_BAND:
        raise TooFew(f"Complete requests: {len(table)}. That is too few to compare slow with typical ones.")
    threshold = quantiles(table.latency_ns, [percentile], weights=table.weight)[0][0].value_ns or 0
    if over_budget:
        cap = total_cap(budget, table.routes, percentile)
        if cap is None:
            raise OverbudgetError("The budget has no cap for the whole request, so no request is over it.")
        threshold = cap.ns
    slow = np.flatnonzero(table.latency_ns > threshold if over_budget else table.latency_ns >= threshold)
    typical = Ranking(table.latency_ns, table.weight).between(*TYPICAL)
    typical_rows = np.setdiff1d(typical.rows, slow)
    if len(slow) < LEAST_SLOW or len(typical_rows) < LEAST_IN_BAND:
        raise TooFew(
            f"There are {len(slow)} slow requests and {len(typical_rows)} typical ones: too few to compare.",
            len(slow),
            len(typical_rows),
        )
    slow_mean, typical_mean = (
        float(np.average(table.latency_ns[rows], weights=table.weight[rows])) for rows in (slow, typical_rows)
    )
    operations = slow_operations(connection, table, slow, typical_rows)
    return Tail(
        percentile,
        threshold,
        len(slow),
        len(typical_rows),
        round(slow_mean),
        round(typical_mean),
        tuple(operations),
        tuple(telling_attributes(connection, table, slow, typical_rows, operations)),
        threshold if over_budget else None,
        tuple(_of_failed(connection, table)),
    )


def _of_failed(connection: duckdb.DuckDBPyConnection, table: RequestTable) -> list[SlowAttribute]:
    """What failed requests have in common, other than failing."""
    failed, fine = np.flatnonzero(table.failed), np.flatnonzero(~table.failed)
    if len(failed) < LEAST_SLOW or len(fine) < LEAST_IN_BAND:
        return []
    return telling_attributes(connection, table, failed, fine, effects=OUTCOME)


def cohorts(
    connection: duckdb.DuckDBPyConnection, table: RequestTable, attribute: SlowAttribute
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows of `table` that have an attribute, and the others. For a number, `value` is a threshold such as `> 12.5`."""
    has = np.zeros(len(table), bool)
    if attribute.on == REQUEST and attribute.key in ("route", "model", "status"):
        has = getattr(table, attribute.key).among(attribute.value)
    elif attribute.on == REQUEST and attribute.key == HOUR:
        has = table.start_ns // HOUR_NS % 24 == int(attribute.value[:2])
    elif attribute.on == REQUEST and attribute.key in (FROM, UNTIL):
        has = (table.start_ns >= instant_ns(datetime.fromisoformat(attribute.value))) == (attribute.key == FROM)
    elif attribute.longest_of is not None:
        has[row_of(table.request_no, longest_calls(connection, table, attribute))] = True
    else:
        members(connection, table)
        rows = row_of(table.request_no, numbers(_carriers(connection, attribute)["request_no"]))
        has[rows[rows >= 0]] = True
    return np.flatnonzero(has), np.flatnonzero(~has)


def _carriers(connection: duckdb.DuckDBPyConnection, attribute: SlowAttribute) -> pa.Table:
    """The request_no of every request that has an attribute."""
    limit = float(attribute.value[2:].replace(",", "")) if attribute.value.startswith("> ") else None
    values = {"on": attribute.on, "key": attribute.key, "value": limit if limit is not None else attribute.value}
    same = 'try_cast(e."value" AS DOUBLE) > $value' if limit is not None else 'e."value" = $value'
    if attribute.on == REQUEST:
        del values["on"], values["key"]
        compared = ">" if limit is not None else "="
        return connection.sql(
            f"SELECT request_no FROM requests WHERE in_flight {compared} $value::DOUBLE", params=values
        ).to_arrow_table()
    return connection.sql(
        f"""SELECT DISTINCT t.request_no FROM members t JOIN data.spans s USING (span_no)
            JOIN operations o ON o.operation_id = s.operation_id JOIN data.resources r USING (resource_id)
            WHERE t.request_no >= 0 AND (
                (o.name = $on AND len(list_filter(s.attributes, lambda e: e."key" = $key AND {same})) > 0)
                OR (o.service_name = $on AND len(list_filter(r.attributes, lambda e: e."key" = $key AND {same})) > 0))""",
        params=values,
    ).to_arrow_table()
