"""Were only some traces kept? Then the other requests of that time are unknown, and percentiles are of the sample."""

from dataclasses import dataclass
from typing import Literal

import duckdb

from overbudget.stages.attribute_keys import TAIL_SAMPLING_PREFIXES

How = Literal["none", "recorded", "said", "tail", "looks_sampled"]
LEAST_TRACES = 100  # to judge by their ids
MOST_SHARE = 0.4  # of all possible ids, within which all ids must lie; some ids have 63 random bits


@dataclass(frozen=True)
class Sampling:
    """`how` the traces of a dataset were sampled: `none` (all were kept, as far as is known), `recorded` (spans record the
    probability), `said` (given with --sampled), `tail` (by their content), `looks_sampled` (all trace ids are on one side, as
    samplers by id leave them). `share`: the estimated share of requests that were kept; None where unknown.
    """

    how: How
    share: float | None = None

    @property
    def sampled(self) -> bool:
        """Whether only some traces were kept."""
        return self.how != "none"

    @property
    def sentence(self) -> str:
        """Says that only some were kept, and how that is known; empty where all were."""
        kept = f"about {self.share:.2g} of all" if self.share is not None and self.share < 0.1 else ""
        if self.share is not None and not kept:
            kept = f"about {self.share:.0%} of all"
        return {
            "none": "",
            "recorded": f"Only some traces were kept ({kept}, by the probability that they record)",
            "said": f"Only some traces were kept ({kept}, as given with --sampled)",
            "tail": "Only some traces were kept, and which ones depended on what was in them (tail sampling)",
            "looks_sampled": f"Only some traces seem to be kept ({kept}, judged by their ids)",
        }[self.how]


def sampling_of(connection: duckdb.DuckDBPyConnection) -> Sampling:
    """How the traces of a dataset were sampled (docs/reference/method.md, From spans to requests)."""
    requests, weight, said_tail, said = connection.execute(
        """SELECT count(*), coalesce(sum(weight), 0),
               (SELECT coalesce(bool_or(sampled = 'tail'), false) FROM ingest_report),
               (SELECT coalesce(bool_or(try_cast(sampled AS DOUBLE) < 1), false) FROM ingest_report)
           FROM requests"""
    ).fetchall()[0]
    if said_tail or _names_a_tail_sampler(connection):
        return Sampling("tail")
    if requests and weight > requests:
        return Sampling("said" if said else "recorded", requests / weight)
    share = _share_by_ids(connection)
    return Sampling("looks_sampled", share) if share is not None else Sampling("none")


def _names_a_tail_sampler(connection: duckdb.DuckDBPyConnection) -> bool:
    written = " OR ".join(f"starts_with(e.\"key\", '{prefix}')" for prefix in TAIL_SAMPLING_PREFIXES)
    query = f"""SELECT count(*) FROM (SELECT 1 FROM requests q
        JOIN data.spans s ON s.trace_id = q.trace_id AND s.span_id = q.span_id
        WHERE len(list_filter(s.attributes, lambda e: {written})) > 0 LIMIT 1)"""
    return bool(connection.execute(query).fetchall()[0][0])


def _share_by_ids(connection: duckdb.DuckDBPyConnection) -> float | None:
    """The share of ids that a sampler by trace id kept; None where they do not look like that.

    SDKs keep a trace whose last 64 bits (or 63 of them) are below a bound, consistent probability samplers one whose last 56 bits
    are above one. Ids from a counter lie below any bound too, but at the very bottom.
    """
    n, low64, mean64, low63, mean63, high56, mean56 = connection.execute(
        """WITH ids AS (SELECT DISTINCT ('0x' || right(trace_id, 16))::UBIGINT AS id FROM requests), parts AS (
               SELECT id / 18446744073709551616.0 AS a, (id & 9223372036854775807) / 9223372036854775808.0 AS b,
                   1 - (id & 72057594037927935) / 72057594037927936.0 AS c FROM ids)
           SELECT count(*), max(a), avg(a), max(b), avg(b), max(c), avg(c) FROM parts"""
    ).fetchall()[0]
    if n < LEAST_TRACES:
        return None
    for most, mean in ((low64, mean64), (low63, mean63), (high56, mean56)):
        if 1e-5 < most <= MOST_SHARE and 0.4 < mean / most < 0.6:  # evenly spread below the bound
            return float(most)
    return None
