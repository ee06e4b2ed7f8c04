"""Equal siblings: calls of one operation that run at once under one parent and differ only in the host they go to.

A search over twelve shards waits for the slowest, and which one that is changes from request to request. Listed host by
host, each would be a twelfth of the cause. They are one cause with a width.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import duckdb

FEWEST_PLACES = 3
AT_ONCE = 0.9  # share of the parents with several such calls in which all must run at the same time
ALIKE = 3.0  # greatest ratio of a host's median to the group's, or the other way round
SEVERAL = "several places"


@dataclass(frozen=True)
class EqualSiblings:
    """A group of operations that differ only in where they go: the name for all places together, how many calls run at
    once (the median), and the places themselves if they differ only in numbers (else none: they may be anything)."""

    place: str
    width: int
    members: tuple[str, ...] = field(default=(), compare=False)


_ALIKE = f"""
WITH groups AS (
    SELECT service_name, name FROM operations WHERE peer IS NOT NULL
    GROUP BY ALL HAVING count(DISTINCT peer) >= {FEWEST_PLACES}
), calls AS (
    SELECT o.operation_id, o.service_name, o.name, o.peer, t.parent, t.start_ns, t.end_ns
    FROM data.tree t JOIN operations o USING (operation_id) JOIN groups USING (service_name, name)
    WHERE o.peer IS NOT NULL AND t.parent >= 0
), parents AS (
    SELECT service_name, name, parent, count(*) AS calls, max(start_ns) < min(end_ns) AS at_once
    FROM calls GROUP BY ALL HAVING count(DISTINCT peer) > 1
), fanned AS (
    SELECT service_name, name, median(calls)::INTEGER AS width
    FROM parents GROUP BY ALL HAVING avg(at_once::INTEGER) >= {AT_ONCE} AND median(calls) >= {FEWEST_PLACES}
), medians AS (
    SELECT service_name, name, peer, median(end_ns - start_ns) AS took FROM calls GROUP BY ALL
), alike AS (
    SELECT service_name, name FROM medians
    GROUP BY ALL HAVING max(took) <= {ALIKE} * median(took) AND min(took) * {ALIKE} >= median(took)
)
SELECT service_name, name, width, list(DISTINCT operation_id), list(DISTINCT peer)
FROM fanned JOIN alike USING (service_name, name) JOIN calls USING (service_name, name) GROUP BY ALL
"""


def equal_siblings(connection: duckdb.DuckDBPyConnection) -> Mapping[int, EqualSiblings]:
    """The operations (by id) that are equal siblings of others. Names do not decide it; they only name the groups."""
    several = connection.sql(
        "SELECT 1 FROM operations WHERE peer IS NOT NULL GROUP BY service_name, name "
        f"HAVING count(DISTINCT peer) >= {FEWEST_PLACES} LIMIT 1"
    ).fetchall()
    if not several:
        return {}
    found = {}
    for _, _, width, operations, places in connection.sql(_ALIKE).fetchall():
        place = _together(places)
        group = EqualSiblings(place, width, tuple(sorted(places)) if place != SEVERAL else ())
        found.update(dict.fromkeys(operations, group))
    return found


def _together(places: list[str]) -> str:
    """`milvus-0`, `milvus-11`: `milvus-*`."""
    masked = {re.sub(r"\d+", "*", place) for place in places}
    return masked.pop() if len(masked) == 1 else SEVERAL
