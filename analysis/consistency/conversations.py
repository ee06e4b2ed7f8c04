"""How long until a good answer? A conversation that needs three requests to get there took the time of all three."""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import numpy as np

from overbudget.analysis.common.percentiles import Quantile, quantiles, share_of
from overbudget.analysis.requests.table import GOOD, RequestTable
from overbudget.kernels.arrow import coded, numbers, row_of


@dataclass(frozen=True)
class Conversations:
    """Conversations with judged answers, how many got a good one, and the time from first request to first good answer.

    `asks` is the mean number of requests it took. `reached_share` has the interval of the share that got one, with the keys of
    `Share`. Percentiles are None with too few conversations, their intervals also where these are too alike.
    """

    conversations: int
    reached: int
    asks: float | None
    p50_ns: int | None
    p95_ns: int | None
    p50_ci_low_ns: int | None = None
    p50_ci_high_ns: int | None = None
    p95_ci_low_ns: int | None = None
    p95_ci_high_ns: int | None = None
    reached_share: Mapping[str, float | int | None] | None = None


def conversations(connection: duckdb.DuckDBPyConnection, table: RequestTable) -> Conversations | None:
    """The time from a conversation's first request to the end of its first good answer; None where none is recorded.

    Conversations none of whose answers is judged are left out.
    """
    if table.entry_span_no is not None:
        return None  # conversations are recorded for the stored requests only
    rows = connection.sql(
        "SELECT request_no, conversation_id FROM requests WHERE conversation_id IS NOT NULL"
    ).to_arrow_table()
    row = row_of(table.request_no, numbers(rows["request_no"]))
    who = coded(rows["conversation_id"]).codes[row >= 0]
    row = row[row >= 0]
    if len(row) == 0 or not table.scored[row].any():
        return None
    order = np.lexsort((table.start_ns[row], who))
    row, who = row[order], who[order]
    first = np.flatnonzero(np.append(True, who[1:] != who[:-1]))
    judged = np.logical_or.reduceat(table.scored[row], first)
    good = np.flatnonzero(table.good[row] == GOOD)
    place = np.searchsorted(good, first)
    until = good[np.minimum(place, max(len(good) - 1, 0))] if len(good) else np.zeros(len(first), np.int64)
    stop = np.append(first[1:], len(row))
    reached = (place < len(good)) & (until < stop) & (until >= first) if len(good) else np.zeros(len(first), bool)
    end = table.start_ns[row[until]] + table.latency_ns[row[until]]
    took = (end - table.start_ns[row[first]])[reached]
    begun = table.start_ns[row[first]]
    p50, p95 = quantiles(took, (50, 95), begun[reached])[0]
    share = share_of(reached[judged], begun[judged])
    return Conversations(
        conversations=int(judged.sum()),
        reached=int(reached.sum()),
        asks=float((until - first + 1)[reached].mean()) if reached.any() else None,
        p50_ns=_known(p50),
        p95_ns=_known(p95),
        p50_ci_low_ns=p50.low_ns if p50.known else None,
        p50_ci_high_ns=p50.high_ns if p50.known else None,
        p95_ci_low_ns=p95.low_ns if p95.known else None,
        p95_ci_high_ns=p95.high_ns if p95.known else None,
        reached_share=share.as_dict() if share is not None else None,
    )


def _known(quantile: Quantile) -> int | None:
    return quantile.value_ns if quantile.reached else None
