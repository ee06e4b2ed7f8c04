"""Attributes that some requests have more often than others: the slow than the typical, the failed than the rest."""

import re
from collections.abc import Sequence

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from overbudget.analysis.common.probability import hypergeometric_from
from overbudget.analysis.requests.stored import load_path
from overbudget.analysis.requests.table import I32, RequestTable, iso
from overbudget.analysis.tail.operations import SlowOperation
from overbudget.analysis.tail.telling import REQUEST, Candidate, SlowAttribute, counts, excess_by_name, strongest
from overbudget.kernels.arrow import Coded, numbers, row_of
from overbudget.store.tables import passing

LEAST_SLOW = 3  # slow requests that must have an attribute
MOST_LOOKED_AT = 5_000  # requests of a cohort whose attributes are compared
LONGEST_VALUE = 120  # characters; longer values are texts that no two requests share
MANY_VALUES = 12  # a number with more distinct values is compared by thresholds
THRESHOLDS = (0.5, 0.75, 0.9)  # where they are set: quantiles of the typical requests
DURATION = re.compile(
    r"(?i)(time_(to|in|per)_|duration|latency|elapsed|_ms$|_ns$)"
)  # keys of durations: the effect, not the cause


OUTCOME = re.compile(r"(?i)status|error|exception")  # keys that say that a request failed, not why
FROM, UNTIL, HOUR = "from", "until", "hour of the day (UTC)"
HOUR_NS = 3_600_000_000_000
INSTANTS = 20  # quantiles of the arrivals at which a change is looked for
LEAST_HOURS = 12  # that requests must span, for the hour of the day to mean something


# `members` are the spans of the requests that are compared (see the function `members`).
_SEEN = f"""
CREATE OR REPLACE TEMP TABLE seen_attributes AS
WITH spans AS (
    SELECT t.request_no, o.service_name, o.name, s.attributes, s.resource_id
    FROM members t JOIN cohort c USING (request_no) JOIN data.spans s USING (span_no)
    JOIN operations o ON o.operation_id = s.operation_id
), resources AS (
    SELECT service_name, resource_id, unnest(r.attributes, recursive := true)
    FROM (SELECT DISTINCT service_name, resource_id FROM spans) JOIN data.resources r USING (resource_id)
), telling AS (  -- what all resources of a service have is no more than its name
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

_OF_REQUESTS = f"""
INSERT INTO seen_attributes SELECT request_no, '{REQUEST}', "key", "value" FROM own WHERE "value" IS NOT NULL
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


# Per request, and key of an operation's spans: the value whose spans take most of its time on the critical path.
_PER_REQUEST = f"""
WITH spans AS (
    SELECT p.request_no, p.ns, o.service_name, o.name, s.attributes, s.resource_id
    FROM path_spans p JOIN cohort c USING (request_no) JOIN data.spans s USING (span_no) JOIN operations o USING (operation_id)
), pairs AS (
    SELECT request_no, ns, name AS "on", unnest(attributes, recursive := true) FROM spans
    UNION ALL
    SELECT request_no, ns, service_name, unnest(r.attributes, recursive := true) FROM spans JOIN data.resources r USING (resource_id)
), times AS (
    SELECT request_no, "on", "key", "value", sum(ns) AS ns FROM pairs
    WHERE "value" IS NOT NULL AND length("value") <= {LONGEST_VALUE} GROUP BY ALL
), longest AS (
    SELECT request_no, "on", "key", arg_max("value", (ns, hash("value"))) AS "value" FROM times GROUP BY ALL
)
"""
_HAVING_IT = 'SELECT request_no FROM longest WHERE "on" = $on AND "key" = $key AND "value" = $value'
_LONGEST = f"""{_PER_REQUEST}
SELECT "on", "key", "value", count(*) FILTER (slow) AS slow, count(*) AS both, bit_xor(hash(request_no)) AS signature
FROM longest JOIN cohort USING (request_no) WHERE NOT regexp_matches("key", $effects)
GROUP BY ALL HAVING count(*) FILTER (slow) >= {LEAST_SLOW}
"""


def telling_attributes(
    connection: duckdb.DuckDBPyConnection,
    table: RequestTable,
    slow: npt.NDArray[np.int64],
    typical: npt.NDArray[np.int64],
    operations: Sequence[SlowOperation] = (),
    effects: re.Pattern[str] = DURATION,
) -> list[SlowAttribute]:
    """Attributes that the rows `slow` have more often than `typical`: Fisher's exact test (one-sided), each
    against all that are tested. Keys that match `effects` are left out; for the first of `operations`, single calls are compared too.

    An attribute of fewer than LEAST_SLOW slow requests is not tested. At most MOST_LOOKED_AT requests of each cohort are compared, evenly spread over
    its latencies.
    """
    slow, typical = (_spread(rows, table.latency_ns) for rows in (slow, typical))
    rows = np.concatenate([slow, typical])
    cohort = pa.table({"request_no": table.request_no[rows], "slow": np.arange(len(rows)) < len(slow)})
    with passing(connection, cohort=cohort, own=_of_requests(table, rows)):
        found = _recorded(connection, table, effects)
        if operations:
            found += _of_longest_calls(connection, table, operations[0], effects, found)
    found += _of_time(table, rows, len(slow))
    return strongest(found, len(slow), len(rows), excess_by_name(operations))


def _recorded(connection: duckdb.DuckDBPyConnection, table: RequestTable, effects: re.Pattern[str]) -> list[Candidate]:
    """What spans and resources record, and how many requests were in flight."""
    members(connection, table)
    connection.execute(_SEEN)
    if table.entry_span_no is None:  # else the recorded number in flight belongs to other requests
        connection.execute(_IN_FLIGHT)
    connection.execute(_OF_REQUESTS)
    keys = [key for (key,) in connection.execute('SELECT DISTINCT "key" FROM seen_attributes').fetchall()]
    connection.execute(_COUNT, {"durations": [key for key in keys if effects.search(key) or DURATION.search(key)]})
    often = connection.execute(f"FROM counted_attributes WHERE slow >= {LEAST_SLOW}").fetchall()
    exceeding = connection.execute(_EXCEEDING).fetchall()
    for relation in ("seen_attributes", "counted_attributes", "members"):
        connection.execute(f"DROP TABLE {relation}")
    thresholds = [
        Candidate(on, key, f"> {least:,.4g}", slow, both, signature, tried=len(THRESHOLDS))
        for on, key, least, slow, both, signature in exceeding
    ]
    numeric = {one.number for one in thresholds}
    return [*(one for one in (Candidate(*row) for row in often) if one.number not in numeric), *thresholds]


def _of_longest_calls(
    connection: duckdb.DuckDBPyConnection,
    table: RequestTable,
    operation: SlowOperation,
    effects: re.Pattern[str],
    known: Sequence[Candidate],
) -> list[Candidate]:
    """Attributes of each request's longest calls of `operation`, where those of all its calls show less."""
    with passing(connection, path_spans=_path_spans(connection, table, operation.name, operation.service_name)):
        rows = connection.execute(
            _LONGEST, {"effects": f"{DURATION.pattern}|{effects.pattern.removeprefix('(?i)')}"}
        ).fetchall()
    same = {(one.on, one.key, one.value, one.signature) for one in known}
    found = (
        Candidate(on, key, value, slow, both, signature, operation.name)
        for on, key, value, slow, both, signature in rows
    )
    numeric = {one.number for one in known if one.tried > 1}
    return [
        one for one in found if (one.on, one.key, one.value, one.signature) not in same and one.number not in numeric
    ]


def _path_spans(connection: duckdb.DuckDBPyConnection, table: RequestTable, name: str, service: str | None) -> pa.Table:
    """The critical-path segments of an operation: request_no, span_no, ns."""
    path = load_path(connection, table)
    named = path.name.among(name) & (path.service.among(service) if service is not None else True)
    here = np.flatnonzero((row_of(table.request_no, path.request_no) >= 0) & named[path.operation])
    return pa.table({"request_no": path.request_no[here], "span_no": path.span_no[here], "ns": path.duration_ns[here]})


def longest_calls(connection: duckdb.DuckDBPyConnection, table: RequestTable, attribute: SlowAttribute) -> I32:
    """The request_no of every request of `table` that has an attribute with `longest_of`."""
    every = pa.table({"request_no": table.request_no, "slow": np.ones(len(table), bool)})
    values = {"on": attribute.on, "key": attribute.key, "value": attribute.value}
    with passing(connection, cohort=every, path_spans=_path_spans(connection, table, attribute.longest_of or "", None)):
        rows = connection.sql(f"{_PER_REQUEST} {_HAVING_IT}", params=values).to_arrow_table()
    return numbers(rows["request_no"])


def _of_requests(table: RequestTable, rows: npt.NDArray[np.int64]) -> pa.Table:
    """Route, model and status of the requests themselves, and the hour of the day where they come from many hours."""
    columns = {key: getattr(table, key).take(rows) for key in ("route", "model", "status")}
    hour = table.start_ns[rows] // HOUR_NS
    if len(hour) and hour.max() - hour.min() >= LEAST_HOURS:
        columns[HOUR] = Coded((hour % 24).astype(np.int32), tuple(f"{one:02d}:00" for one in range(24)))
    said = [
        pa.table(
            {
                "request_no": table.request_no[rows],
                "key": [key] * len(rows),
                "value": names.take(pa.array(column.codes, mask=column.codes < 0)),
            }
        )
        for key, column in columns.items()
        if len(names := pa.array(column.names, pa.string()))
    ]
    return pa.concat_tables(said)


def _of_time(table: RequestTable, rows: npt.NDArray[np.int64], slow: int) -> list[Candidate]:
    """The instant from which on, or until which, most of the slow requests arrive: the best of some quantiles of the
    arrivals, at most one. Its test is corrected for all that were tried."""
    start = table.start_ns[rows]
    instants = np.unique(np.quantile(start, np.arange(1, INSTANTS) / INSTANTS, method="higher")).tolist()
    both_ways = [(key, instant, (start >= instant) == (key == FROM)) for instant in instants for key in (FROM, UNTIL)]
    found = [
        Candidate(REQUEST, key, iso(instant), hits, int(has.sum()), instant, tried=len(both_ways))
        for key, instant, has in both_ways
        if (hits := int(has[:slow].sum())) >= LEAST_SLOW
    ]
    if not found:
        return []
    chance = hypergeometric_from(*counts(found, len(rows)), slow)
    return [found[int(np.argmin(chance))]]


def _spread(rows: npt.NDArray[np.int64], latency_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    if len(rows) <= MOST_LOOKED_AT:
        return rows
    places = np.linspace(0, len(rows) - 1, MOST_LOOKED_AT).astype(np.int64)
    return np.sort(rows[np.argsort(latency_ns[rows], kind="stable")[places]])


def members(connection: duckdb.DuckDBPyConnection, table: RequestTable) -> None:
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
