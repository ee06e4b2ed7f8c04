"""Requests as columns: latency, what can be filtered by, and the time each stage took of each request.

Reading and choosing are apart: `read_requests` gives every request of a dataset (worth caching: it depends on the
dataset and on `budget.reading` only), `RequestTable.select` the ones a filter leaves, in a few milliseconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from analysis.budget import Budget
from analysis.columns import flags, numbers
from store.errors import OverbudgetError

if TYPE_CHECKING:
    from analysis.path import PathTable

I8 = npt.NDArray[np.int8]
I16 = npt.NDArray[np.int16]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

Choice = str | Sequence[str] | None
Instant = datetime | int | None  # int: ns since the epoch

GOOD, BAD, UNKNOWN = 1, 0, -1


@dataclass(frozen=True)
class Filters:
    """Which requests to look at; None takes all. Several values of one field are alternatives.

    `service` is the entry span's. `start` (included) and `end` (excluded) bound when a request starts; a datetime
    without a time zone is UTC. `model` "" are the requests that name none.
    """

    route: Choice = None
    service: Choice = None
    start: Instant = None
    end: Instant = None
    model: Choice = None
    status: Choice = None

    def as_dict(self) -> dict[str, str | list[str]]:
        """The filters that are set; times as ISO text."""
        found: dict[str, str | list[str]] = {}
        for name in ("route", "service", "start", "end", "model", "status"):
            value = getattr(self, name)
            if isinstance(value, str):
                found[name] = value
            elif isinstance(value, int | datetime):
                found[name] = iso(_ns(value))
            elif value is not None:
                found[name] = list(value)
        return found


@dataclass(frozen=True)
class Coded:
    """A text column: `codes[i]` is the place of row i's text in `names`, -1 where it has none."""

    codes: I32
    names: tuple[str, ...]

    def take(self, rows: npt.NDArray[np.integer]) -> "Coded":
        return Coded(self.codes[rows], self.names)

    def count(self) -> I64:
        """How many rows each name has."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.names))

    def among(self, choice: str | Sequence[str]) -> npt.NDArray[np.bool_]:
        """Which rows have one of the texts in `choice`; "" stands for none at all."""
        wanted = {choice} if isinstance(choice, str) else set(choice)
        chosen = np.array([name in wanted for name in self.names] + ["" in wanted], bool)
        return chosen[self.codes]


@dataclass(frozen=True)
class RequestTable:
    """Requests by column, n rows in the order of request_no; `stage_ns` is int64[n, stages].

    The stages of a row sum to its latency. `score` is the recorded score, NaN for none; `scored` tells whether a score
    or label is recorded, `good` whether the answer was good: GOOD, BAD or UNKNOWN. `ttft_ns` is the time to the first token
    of its longest answer, -1 where none is recorded. `present` tells which stages any
    span of the dataset belongs to. `incomplete` counts the requests that were left out for being incomplete.

    `path` and `stage_of_node` (the stage of each row of data.tree) are there where the budget's own rules made the stored
    ones obsolete, `request_of_node` (the
    request_no of each row of data.tree, -1 for none) and `entry_span_no` where they made other spans the requests.
    `waits_ns` is there where inference servers report how long each request waited in their queue.
    """

    request_no: I32
    start_ns: I64
    latency_ns: I64
    complete: npt.NDArray[np.bool_]
    route: Coded
    service: Coded
    model: Coded
    status: Coded
    score: npt.NDArray[np.float64]
    scored: npt.NDArray[np.bool_]
    good: I8
    ttft_ns: I64
    stages: tuple[str, ...]
    present: tuple[bool, ...]
    stage_ns: I64
    incomplete: int = 0
    path: "PathTable | None" = None
    request_of_node: I32 | None = None
    stage_of_node: I16 | None = None
    entry_span_no: I32 | None = None
    waits_ns: I64 | None = None

    def __len__(self) -> int:
        return len(self.request_no)

    def take(self, rows: npt.NDArray[np.integer]) -> "RequestTable":
        """The given rows alone."""
        whole = {name: getattr(self, name)[rows] for name in _COLUMNS}
        coded = {name: getattr(self, name).take(rows) for name in ("route", "service", "model", "status")}
        entries = None if self.entry_span_no is None else self.entry_span_no[rows]
        waits = None if self.waits_ns is None else self.waits_ns[rows]
        return replace(self, **whole, **coded, entry_span_no=entries, waits_ns=waits)

    @property
    def first_token_ns(self) -> I64:
        """How much of each request's inference passes before its first token, -1 where that is not recorded.

        A server's time to the first token counts from the arrival of the request; what it waited in the queue is no inference.
        """
        if self.waits_ns is None:
            return self.ttft_ns
        return np.where(self.ttft_ns < 0, self.ttft_ns, np.maximum(self.ttft_ns - self.waits_ns, 0))

    def select(self, filters: Filters | None = None, include_incomplete: bool = False) -> "RequestTable":
        """The requests that `filters` leave, without the incomplete ones unless they are asked for."""
        chosen = np.ones(len(self), bool)
        if filters is not None:
            for name in ("route", "service", "model", "status"):
                choice = getattr(filters, name)
                if choice is not None:
                    chosen &= getattr(self, name).among(choice)
            if filters.start is not None:
                chosen &= self.start_ns >= _ns(filters.start)
            if filters.end is not None:
                chosen &= self.start_ns < _ns(filters.end)
        left_out = chosen & ~self.complete
        if include_incomplete:
            left_out[:] = False
        if chosen.all() and not left_out.any():
            return replace(self, incomplete=0)
        return replace(self.take(np.flatnonzero(chosen & ~left_out)), incomplete=int(left_out.sum()))


_COLUMNS = ("request_no", "start_ns", "latency_ns", "complete", "score", "scored", "good", "ttft_ns", "stage_ns")


def load_requests(
    connection: duckdb.DuckDBPyConnection,
    budget: Budget | None = None,
    filters: Filters | None = None,
    include_incomplete: bool = False,
) -> RequestTable:
    """The requests that `filters` leave, with their stage times by the rules of `budget`.

    Incomplete requests are counted and left out unless they are asked for (METHOD.md, "From spans to requests").
    """
    return read_requests(connection, budget).select(filters, include_incomplete)


def read_requests(connection: duckdb.DuckDBPyConnection, budget: Budget | None = None) -> RequestTable:
    """Every request of a dataset, incomplete ones too. Depends on the dataset and `budget.reading` alone.

    Where the budget brings rules of its own, the stages (and, with `[request] match`, the requests) are computed anew.
    """
    budget = budget or Budget()
    if budget.rules or budget.request_match:
        from analysis.own_rules import apply_rules

        table = apply_rules(connection, budget)
    else:
        table = read_stored(connection)
    from analysis.queued import waits_of_requests

    table = replace(table, waits_ns=waits_of_requests(connection, table))
    if budget.good is not None:
        from analysis.good import judge_answers

        scored, good = judge_answers(connection, budget.good, table)
        table = replace(table, scored=scored, good=good)
    return table


def read_stored(connection: duckdb.DuckDBPyConnection) -> RequestTable:
    """Every request as it was stored, by the default rules."""
    rows = connection.sql(
        f"""SELECT request_no, start_ns, duration_ns, complete::TINYINT AS complete, route, service_name,
               coalesce(model, '') AS model, status_code, coalesce(score, 'nan'::DOUBLE) AS score,
               (good IS NOT NULL OR score IS NOT NULL)::TINYINT AS scored, coalesce(good::TINYINT, {UNKNOWN}) AS good,
               coalesce(ttft_ns, -1) AS ttft_ns
           FROM requests ORDER BY request_no"""
    ).to_arrow_table()
    stages = tuple(name for (name,) in connection.execute("SELECT stage FROM data.stages ORDER BY stage_id").fetchall())
    times = connection.sql("SELECT request_no, stage_id, stage_ns, span_count FROM data.stage_time").to_arrow_table()
    request_no = numbers(rows["request_no"])
    stage = numbers(times["stage_id"])
    stage_ns = np.zeros((len(request_no), len(stages)), np.int64)
    stage_ns[row_of(request_no, numbers(times["request_no"])), stage] = numbers(times["stage_ns"])
    spans = np.bincount(stage, numbers(times["span_count"]), minlength=len(stages))
    return RequestTable(
        request_no=request_no,
        start_ns=numbers(rows["start_ns"]),
        latency_ns=numbers(rows["duration_ns"]),
        complete=flags(rows["complete"]),
        route=coded(rows["route"]),
        service=coded(rows["service_name"]),
        model=coded(rows["model"], none=""),
        status=coded(rows["status_code"]),
        score=numbers(rows["score"]),
        scored=flags(rows["scored"]),
        good=numbers(rows["good"]),
        ttft_ns=numbers(rows["ttft_ns"]),
        stages=stages,
        present=tuple((spans > 0).tolist()),
        stage_ns=stage_ns,
    )


def coded(column: pa.ChunkedArray, none: str | None = None) -> Coded:
    """A text column of Arrow as codes and names; the text `none` stands for no text at all."""
    if len(column) == 0:
        return Coded(np.zeros(0, np.int32), ())
    whole = column.combine_chunks().dictionary_encode()
    codes = numbers(pa.chunked_array([whole.indices]))
    names = whole.dictionary.to_pylist()
    if none in names:
        empty = names.index(none)
        names.pop(empty)
        codes = np.where(codes == empty, -1, codes - (codes > empty)).astype(np.int32)
    return Coded(codes, tuple(names))


def row_of(request_no: I32, wanted: I32) -> I32:
    """The row at which each of the `wanted` numbers stands in `request_no`; -1 where it does not."""
    if len(request_no) == 0 or len(wanted) == 0:
        return np.full(len(wanted), -1, np.int32)
    rows = np.full(max(int(request_no.max()), int(wanted.max())) + 1, -1, np.int32)
    rows[request_no] = np.arange(len(request_no), dtype=np.int32)
    return rows[wanted]


def require_known(table: RequestTable, filters: Filters) -> None:
    """Refuse filters that name a route, service, model or status that no request of `table` (all of them) has.

    Errors: OverbudgetError that says which there are.
    """
    from analysis.budget_problems import question

    for name in ("route", "service", "model", "status"):
        choice = getattr(filters, name)
        known = getattr(table, name).names
        for value in [choice] if isinstance(choice, str) else choice or []:
            if value and value not in known:
                listed = f" There are {', '.join(known[:10])}{', …' if len(known) > 10 else ''}." if known else ""
                raise OverbudgetError(f"No request has the {name} `{value}`.{question(value, known) or listed}")


def _ns(instant: datetime | int) -> int:
    if isinstance(instant, int):
        return instant
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    since = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000


def iso(ns: int) -> str:
    """An instant as ISO 8601 text in UTC, to the microsecond."""
    seconds, rest = divmod(ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"
