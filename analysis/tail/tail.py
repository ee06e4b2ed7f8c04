"""What do the slow requests have in common that typical ones have not: operations, and attributes."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from overbudget.analysis.budget.caps import total_cap
from overbudget.analysis.budget.model import Budget
from overbudget.analysis.common.bands import LEAST_IN_BAND, Ranking
from overbudget.analysis.common.percentiles import quantiles
from overbudget.analysis.common.probability import false_discovery_shares, hypergeometric_from
from overbudget.analysis.requests.read import read_requests, require_known
from overbudget.analysis.requests.table import Filters, RequestTable
from overbudget.analysis.review.measure import TYPICAL
from overbudget.analysis.tail.operations import SlowOperation, slow_operations
from overbudget.kernels.arrow import numbers, row_of
from overbudget.store.errors import OverbudgetError

FALSE_DISCOVERIES = 0.02  # of the attributes that are named; a healthy world is to have none
LEAST_SLOW = 3  # slow requests an attribute must be seen in
MOST_LOOKED_AT = 5_000  # requests of a cohort whose attributes are looked through
LONGEST_VALUE = 120  # characters; longer ones are texts, which no two requests share
MANY_VALUES = 12  # a number with more distinct values is told by thresholds
THRESHOLDS = (0.5, 0.75, 0.9)  # where they are set: quantiles of the typical requests
REQUEST = "request"  # what attributes of the request as a whole are on
DURATION = re.compile(
    r"(?i)(time_(to|in|per)_|duration|latency|elapsed|_ms$|_ns$)"
)  # keys of durations: the effect, not the cause


@dataclass(frozen=True)
class SlowAttribute:
    """An attribute that slow requests have more often. `on` is the operation, service or request that carries it.

    `lift` is slow_share over typical_share, None where no typical request has it. `q_value` is the share of false
    discoveries among this and all stronger ones. `requests` have it, of those of both cohorts that were looked at. `also` are attributes of exactly the same
    requests.
    """

    key: str
    value: str
    on: str
    slow_share: float
    typical_share: float
    lift: float | None
    q_value: float
    requests: int
    also: tuple[str, ...]


@dataclass(frozen=True)
class Tail:
    """Slow requests (from `threshold_ns` on) against typical ones (p40 to p60); both lists strongest first.

    `cap_ns` is the cap at `percentile` where the slow requests are those over it.
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

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts and lists with the keys of docs/reference/json.md."""
        return {**asdict(self), "operations": [one.as_dict() for one in self.operations]}


class TooFew(OverbudgetError):
    """There are requests, but too few of them in a cohort to compare: an answer, not a mistake of the user."""

    def __init__(self, sentence: str, slow: int = 0, typical: int = 0) -> None:
        super().__init__(sentence)
        self.slow, self.typical = slow, typical

    def as_dict(self, percentile: int) -> dict[str, Any]:
        """The keys of docs/reference/json.md with nothing in them, and a `note` that says why."""
        nothing: dict[str, Any] = {"operations": [], "attributes": [], "note": str(self)}
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

    `requests` are all requests by the rules of the budget, where they are at hand; else they are read.

    Errors: TooFew where a cohort has too few requests; OverbudgetError where there is no cap, or no such request.
    """
    every = read_requests(connection, budget) if requests is None else requests
    require_known(every, filters or Filters())
    table = every.select(filters)
    if len(table) < 4 * LEAST_IN_BAND:
        raise TooFew(f"Complete requests: {len(table)}. That is too few to tell slow from typical ones.")
    threshold = quantiles(table.latency_ns, [percentile])[0][0].value_ns or 0
    if over_budget:
        cap = total_cap(budget, table.routes, percentile)
        if cap is None:
            raise OverbudgetError("The budget has no cap for the whole request, so no request is over it.")
        threshold = cap.ns
    slow = np.flatnonzero(table.latency_ns > threshold if over_budget else table.latency_ns >= threshold)
    typical = Ranking(table.latency_ns).between(*TYPICAL)
    typical_rows = np.setdiff1d(typical.rows, slow)
    if len(slow) < LEAST_SLOW or len(typical_rows) < LEAST_IN_BAND:
        raise TooFew(
            f"There are {len(slow)} slow requests and {len(typical_rows)} typical ones: too few to compare.",
            len(slow),
            len(typical_rows),
        )
    slow_mean, typical_mean = (float(table.latency_ns[rows].mean()) for rows in (slow, typical_rows))
    operations = slow_operations(connection, table, slow, typical_rows)
    return Tail(
        percentile,
        threshold,
        len(slow),
        len(typical_rows),
        round(slow_mean),
        round(typical_mean),
        tuple(operations),
        tuple(_attributes(connection, table, slow, typical_rows, operations)),
        threshold if over_budget else None,
    )


# `members` are the spans of the requests at hand (see `_members`).
_SEEN = f"""
CREATE OR REPLACE TEMP TABLE seen_attributes AS
WITH spans AS (
    SELECT t.request_no, o.service_name, o.name, s.attributes, s.resource_id
    FROM members t JOIN cohort c USING (request_no) JOIN data.spans s USING (span_no)
    JOIN operations o ON o.operation_id = s.operation_id
), resources AS (
    SELECT service_name, resource_id, unnest(r.attributes, recursive := true)
    FROM (SELECT DISTINCT service_name, resource_id FROM spans) JOIN data.resources r USING (resource_id)
), telling AS (  -- what all resources of a service have tells no more than its name
    SELECT service_name, "key" FROM (SELECT *, count(DISTINCT resource_id) OVER (PARTITION BY service_name) AS all_of_it FROM resources)
    GROUP BY ALL HAVING count(DISTINCT "value") > 1 OR count(*) < any_value(all_of_it) OR "key" = 'service.name'
), pairs AS (
    SELECT request_no, name AS "on", unnest(attributes, recursive := true) FROM spans
    UNION ALL
    SELECT request_no, service_name, "key", "value"
    FROM (SELECT DISTINCT request_no, service_name, resource_id FROM spans) JOIN resources USING (service_name, resource_id)
    JOIN telling USING (service_name, "key")
)
SELECT DISTINCT request_no, "on", "key", "value" FROM pairs WHERE "value" IS NOT NULL AND length("value") <= {LONGEST_VALUE}
"""
_IN_FLIGHT = f"""
INSERT INTO seen_attributes
SELECT request_no, '{REQUEST}', 'requests in flight', in_flight::VARCHAR FROM requests JOIN cohort USING (request_no)
"""

_COUNT = """
CREATE OR REPLACE TEMP TABLE counted_attributes AS
SELECT "on", "key", "value", count(*) FILTER (slow) AS slow, count(*) AS both, bit_xor(hash(request_no)) AS signature
FROM seen_attributes JOIN cohort USING (request_no) WHERE NOT list_contains($durations, "key") GROUP BY ALL
"""

# Numbers of many values: the largest of each request, of each operation and key, and how many requests exceed some
# quantiles of the typical ones.
_EXCEEDING = f"""
WITH kinds AS (
    SELECT "on", "key" FROM counted_attributes GROUP BY ALL
    HAVING count(*) > {MANY_VALUES} AND count(*) = count(try_cast("value" AS DOUBLE))
), numbers AS (
    SELECT "on", "key", request_no, any_value(slow) AS slow, max(try_cast("value" AS DOUBLE)) AS number
    FROM seen_attributes JOIN kinds USING ("on", "key") JOIN cohort USING (request_no) GROUP BY ALL
), limits AS (
    SELECT "on", "key", unnest(list_distinct(leasts)) AS least FROM (
        SELECT "on", "key", quantile_cont(number, {list(THRESHOLDS)}) FILTER (NOT slow) AS leasts FROM numbers GROUP BY ALL
    )
)
SELECT "on", "key", least, count(*) FILTER (slow) AS slow, count(*) AS both, bit_xor(hash(request_no)) AS signature
FROM numbers JOIN limits USING ("on", "key") WHERE number > least
GROUP BY ALL HAVING count(*) FILTER (slow) >= {LEAST_SLOW}
"""


@dataclass(frozen=True)
class _Candidate:
    on: str
    key: str
    value: str
    slow: int
    both: int
    signature: int


def _attributes(
    connection: duckdb.DuckDBPyConnection,
    table: RequestTable,
    slow: npt.NDArray[np.int64],
    typical: npt.NDArray[np.int64],
    operations: Sequence[SlowOperation],
) -> list[SlowAttribute]:
    """Attributes that the slow have more often: Fisher's exact test (one-sided), Benjamini and Hochberg over all.

    (Y. Benjamini and Y. Hochberg, "Controlling the false discovery rate", JRSS B 57 (1995).) What occurs in fewer than
    LEAST_SLOW slow requests is not tested. At most MOST_LOOKED_AT requests of each cohort are looked at, evenly spread over
    its latencies.
    """
    slow, typical = (_spread(rows, table.latency_ns) for rows in (slow, typical))
    rows = np.concatenate([slow, typical])
    cohort = pa.table({"request_no": table.request_no[rows], "slow": np.arange(len(rows)) < len(slow)})
    connection.register("cohort", cohort)
    _members(connection, table)
    connection.execute(_SEEN)
    if table.entry_span_no is None:  # else how many were in flight is recorded of other requests
        connection.execute(_IN_FLIGHT)
    keys = [key for (key,) in connection.execute('SELECT DISTINCT "key" FROM seen_attributes').fetchall()]
    connection.execute(_COUNT, {"durations": [key for key in keys if DURATION.search(key)]})
    often = connection.execute(f"FROM counted_attributes WHERE slow >= {LEAST_SLOW}").fetchall()
    found = [_Candidate(*row) for row in often]
    found += _of_requests(table, rows, len(slow))
    exceeding = connection.execute(_EXCEEDING).fetchall()
    numbers = [_Candidate(on, key, f"> {least:,.4g}", *counts) for on, key, least, *counts in exceeding]
    numeric = {(one.on, one.key) for one in numbers}
    found = [one for one in found if (one.on, one.key) not in numeric] + numbers
    for relation in ("seen_attributes", "counted_attributes", "members"):
        connection.execute(f"DROP TABLE {relation}")
    connection.unregister("cohort")
    n_slow, n_all = len(slow), len(rows)
    found = [one for one in found if one.both < n_all]  # what all have tells nothing
    if not found:
        return []
    hits, both = (np.array([getattr(one, name) for one in found]) for name in ("slow", "both"))
    p_value = hypergeometric_from(hits, n_all, both, n_slow)
    p_value[[i for i, one in enumerate(found) if (one.on, one.key) in numeric]] *= len(THRESHOLDS)
    q_value = false_discovery_shares(np.minimum(p_value, 1.0))
    order = sorted(
        np.flatnonzero(q_value <= FALSE_DISCOVERIES).tolist(),
        key=lambda i: (
            p_value[i],
            -hits[i] / both[i],
            found[i].on == REQUEST,
            found[i].key,
            found[i].value,
            found[i].on,
        ),
    )
    excess: dict[str, int] = {}
    for operation in operations:
        excess[operation.name] = max(operation.excess_ns, excess.get(operation.name, operation.excess_ns))
    groups: dict[tuple[int, int], list[int]] = {}
    told: set[tuple[str, str]] = set()
    for i in order:
        number = (found[i].on, found[i].key)
        if number in numeric and number in told:
            continue  # of several thresholds the most telling
        told.add(number)
        groups.setdefault((found[i].signature, found[i].both), []).append(i)
    strongest = []
    for same in groups.values():
        same.sort(key=lambda i: -excess.get(found[i].on, 0))  # of the same requests: where their time went
        one, q = found[same[0]], float(q_value[same[0]])
        slow_share, typical_share = one.slow / n_slow, (one.both - one.slow) / (n_all - n_slow)
        lift = round(slow_share / typical_share, 2) if typical_share else None
        also = tuple(f"{found[i].key} = {found[i].value} on {found[i].on}" for i in same[1:])
        strongest.append(
            SlowAttribute(
                one.key, one.value, one.on, round(slow_share, 4), round(typical_share, 4), lift, q, one.both, also
            )
        )
    return strongest


def _spread(rows: npt.NDArray[np.int64], latency_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    if len(rows) <= MOST_LOOKED_AT:
        return rows
    places = np.linspace(0, len(rows) - 1, MOST_LOOKED_AT).astype(np.int64)
    return np.sort(rows[np.argsort(latency_ns[rows], kind="stable")[places]])


def _members(connection: duckdb.DuckDBPyConnection, table: RequestTable) -> None:
    """A temporary relation `members`: request_no and span_no of the spans of the requests of `table`."""
    if table.request_of_node is None:
        connection.execute("CREATE OR REPLACE TEMP TABLE members AS SELECT request_no, span_no FROM data.tree")
        return
    node = np.flatnonzero(table.request_of_node >= 0)
    connection.register("own_requests", pa.table({"node": node, "request_no": table.request_of_node[node]}))
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE members AS SELECT o.request_no, t.span_no FROM own_requests o JOIN data.tree t USING (node)"
    )
    connection.unregister("own_requests")


def _of_requests(table: RequestTable, rows: npt.NDArray[np.int64], slow: int) -> list[_Candidate]:
    """Route, model and status of the requests themselves."""
    found = []
    for key in ("route", "model", "status"):
        column = getattr(table, key).take(rows)
        for code, name in enumerate(column.names):
            here = np.flatnonzero(column.codes == code)
            hits = int((here < slow).sum())
            if hits >= LEAST_SLOW:
                found.append(_Candidate(REQUEST, key, name, hits, len(here), hash((key, name))))
    return found


def cohorts(
    connection: duckdb.DuckDBPyConnection, table: RequestTable, attribute: SlowAttribute
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows of `table` that have an attribute, and the others. Of a number `value` is a threshold such as `> 12.5`."""
    has = np.zeros(len(table), bool)
    if attribute.on == REQUEST and attribute.key in ("route", "model", "status"):
        has = getattr(table, attribute.key).among(attribute.value)
    else:
        _members(connection, table)
        rows = row_of(table.request_no, numbers(_carriers(connection, attribute)["request_no"]))
        has[rows[rows >= 0]] = True
    return np.flatnonzero(has), np.flatnonzero(~has)


def _carriers(connection: duckdb.DuckDBPyConnection, attribute: SlowAttribute) -> pa.Table:
    """The request_no of every request that has an attribute."""
    limit = float(attribute.value[2:].replace(",", "")) if attribute.value.startswith("> ") else None
    told = {"on": attribute.on, "key": attribute.key, "value": limit if limit is not None else attribute.value}
    same = 'try_cast(e."value" AS DOUBLE) > $value' if limit is not None else 'e."value" = $value'
    if attribute.on == REQUEST:
        del told["on"], told["key"]
        compared = ">" if limit is not None else "="
        return connection.sql(
            f"SELECT request_no FROM requests WHERE in_flight {compared} $value::DOUBLE", params=told
        ).to_arrow_table()
    return connection.sql(
        f"""SELECT DISTINCT t.request_no FROM members t JOIN data.spans s USING (span_no)
            JOIN operations o ON o.operation_id = s.operation_id JOIN data.resources r USING (resource_id)
            WHERE t.request_no >= 0 AND (
                (o.name = $on AND len(list_filter(s.attributes, lambda e: e."key" = $key AND {same})) > 0)
                OR (o.service_name = $on AND len(list_filter(r.attributes, lambda e: e."key" = $key AND {same})) > 0))""",
        params=told,
    ).to_arrow_table()
