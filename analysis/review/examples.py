"""Example requests: the slowest, those around a percentile of the whole request or of one stage, or near a latency."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt

from overbudget.analysis.common.bands import Ranking
from overbudget.analysis.requests.table import RequestTable
from overbudget.analysis.requests.taken import taken_ns
from overbudget.analysis.review.rows import TOTAL
from overbudget.kernels.arrow import Coded, numbers, row_of


@dataclass(frozen=True)
class RequestInfo:
    """One request: its ids, its description, and its stage times (ns; only the stages it has)."""

    trace_id: str
    span_id: str
    route: str
    service_name: str
    model: str | None
    status_code: str
    start_ns: int
    latency_ns: int
    complete: bool
    stages: dict[str, int]


def slowest(table: RequestTable, limit: int = 20, stage: str = TOTAL) -> npt.NDArray[np.intp]:
    """Rows of the slowest requests, slowest first (then the earliest), by the whole request or by one stage."""
    return np.lexsort((table.request_no, -taken_ns(table, stage)))[:limit]


def slowest_of(table: RequestTable, rows: npt.NDArray[np.intp], limit: int = 20) -> npt.NDArray[np.intp]:
    """The slowest requests among these rows, slowest first."""
    return rows[np.lexsort((table.request_no[rows], -table.latency_ns[rows]))][:limit]


def around(table: RequestTable, percentile: int, stage: str = TOTAL, limit: int = 20) -> npt.NDArray[np.intp]:
    """Rows of the requests nearest to a percentile, nearest first: by the whole request, its first token or one stage."""
    took = taken_ns(table, stage)
    told = np.flatnonzero(took >= 0)
    band = Ranking(took[told]).band(percentile)
    return told[band.rows[np.argsort(-band.weights, kind="stable")][:limit]]


def near(table: RequestTable, latency_ns: int, limit: int = 20) -> npt.NDArray[np.intp]:
    """Rows of the requests whose latency is nearest to `latency_ns`, nearest first."""
    return np.argsort(np.abs(table.latency_ns - latency_ns), kind="stable")[:limit]


def describe(
    connection: duckdb.DuckDBPyConnection, table: RequestTable, rows: Sequence[int] | npt.NDArray[np.integer]
) -> list[RequestInfo]:
    """A description of the given rows, in their order."""
    places = np.asarray(rows, np.intp)
    ids = _ids(connection, table, places)

    def text(column: Coded, row: int) -> str | None:
        return column.names[column.codes[row]] if column.codes[row] >= 0 else None

    return [
        RequestInfo(
            trace_id=trace_id,
            span_id=span_id,
            route=text(table.route, row) or "",
            service_name=text(table.service, row) or "",
            model=text(table.model, row),
            status_code=text(table.status, row) or "UNSET",
            start_ns=int(table.start_ns[row]),
            latency_ns=int(table.latency_ns[row]),
            complete=bool(table.complete[row]),
            stages={stage: int(ns) for stage, ns in zip(table.stages, table.stage_ns[row], strict=True) if ns},
        )
        for row, (trace_id, span_id) in zip(places.tolist(), ids, strict=True)
    ]


def _ids(
    connection: duckdb.DuckDBPyConnection, table: RequestTable, rows: npt.NDArray[np.intp]
) -> list[tuple[str, str]]:
    """Trace id and entry span id of each row."""
    if len(rows) == 0:
        return []
    if table.entry_span_no is None:
        wanted, query = table.request_no[rows], "SELECT request_no AS number, trace_id, span_id FROM requests"
    else:
        wanted, query = table.entry_span_no[rows], "SELECT span_no AS number, trace_id, span_id FROM data.spans"
    found = connection.sql(
        f"FROM ({query}) WHERE list_contains($wanted, number)", params={"wanted": wanted.tolist()}
    ).to_arrow_table()
    place = row_of(numbers(found["number"]), wanted)
    traces, spans = found["trace_id"].to_pylist(), found["span_id"].to_pylist()
    return [(traces[at], spans[at]) for at in place.tolist()]
