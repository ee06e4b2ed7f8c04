"""Requests as columns: latency, filterable fields, and each request's time per stage.

Reading and selecting are separate: `read_requests` gives every request of a dataset (worth caching: it depends only on
the dataset and on `budget.reading`), `RequestTable.select` those that pass a filter, in a few milliseconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from overbudget.analysis.requests.entry_attributes import EntryAttributes
from overbudget.analysis.requests.path import PathTable, without_stage
from overbudget.kernels.arrow import Coded
from overbudget.stages.names import ASKS_PERSON
from overbudget.stages.waits_for_person import Waits

I8 = npt.NDArray[np.int8]
I16 = npt.NDArray[np.int16]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

Bool = npt.NDArray[np.bool_]
F64 = npt.NDArray[np.float64]

Choice = str | Sequence[str] | None
Instant = datetime | int | None  # int: ns since the epoch

GOOD, BAD, UNKNOWN = 1, 0, -1


@dataclass(frozen=True)
class Filters:
    """Which requests to look at; None takes all. Several values of one field are alternatives.

    `service` is the entry span's, `version` and `environment` those of its resource, `attributes` any others of the two, as
    pairs of key and value: values of one key are alternatives, "" are the requests without it. `start` (included) and `end` (excluded) bound when a request starts; a datetime
    without a time zone is UTC. `model` "" are the requests that name none.
    """

    route: Choice = None
    service: Choice = None
    start: Instant = None
    end: Instant = None
    model: Choice = None
    status: Choice = None
    version: Choice = None
    environment: Choice = None
    attributes: tuple[tuple[str, str], ...] = ()

    def as_dict(self) -> dict[str, str | list[str]]:
        """The filters that are set, times as ISO text."""
        found: dict[str, str | list[str]] = {}
        for name in ("route", "service", "start", "end", "model", "status", "version", "environment"):
            value = getattr(self, name)
            if isinstance(value, str):
                found[name] = value
            elif isinstance(value, int | datetime):
                found[name] = iso(instant_ns(value))
            elif value is not None:
                found[name] = list(value)
        for key, values in self.by_attribute().items():
            found[f"attr:{key}"] = values[0] if len(values) == 1 else values
        return found

    def within(self, first_ns: int, last_ns: int) -> tuple[int, int]:
        """The time from `first_ns` to `last_ns` (ns since the epoch), cut to what `start` and `end` leave of it."""
        start = first_ns if self.start is None else max(first_ns, instant_ns(self.start))
        end = last_ns if self.end is None else min(last_ns, instant_ns(self.end) - 1)
        return start, end

    def by_attribute(self) -> dict[str, list[str]]:
        """The accepted values of each attribute that is filtered by."""
        found: dict[str, list[str]] = {}
        for key, value in self.attributes:
            found.setdefault(key, []).append(value)
        return found


@dataclass(frozen=True)
class RequestTable:
    """Requests by column, n rows in the order of request_no; `stage_ns` is int64[n, stages].

    `duration_ns` is from the entry span's start to its end, `user_ns` how long of it the request waited for a person,
    `latency_ns` the rest; the stages of a row sum to its latency (waits for a person are in no stage). `complete` tells that
    every span is there and has ended; `open` that the entry span has no end, so that the request took at least this long;
    `missing` that the entry span is not in the data and only its children are. `failed` tells that the entry span failed,
    `weight` how many requests a row stands for (1 unless sampled). `score` is the recorded score, NaN for none; `scored` tells whether a score
    or label is recorded, `good` whether the answer was good: GOOD, BAD or UNKNOWN. `ttft_ns` is from the request's
    start to the first token of its answer but for `ttft_user_ns`, in which it waited for a person before that; -1 where the
    answer records none. `present` tells which stages any
    span of the dataset belongs to. `incomplete` counts the requests that were left out for being incomplete.

    `path` and `stage_of_node` (the stage of each row of data.tree) are there where the budget's own rules made the stored
    ones obsolete, `request_of_node` (the request_no of each row of data.tree, -1 for none) where it names requests or the
    background, `entry_span_no` where it made other spans the requests, and `parent_of_node` where spans of the background
    were taken out of the trees.
    `waits` are the waits for a person under the budget's own rules, until they are taken out.
    `entry_attributes` reads what filters by attribute ask for.
    `parts_ns`, int64[n, len(PART_NAMES)], is how long a request is in each part of a stage on the path; -1 where it does not
    record that, or where a budget's rules give it other times of the stage than the default ones; 0 where it has nothing of the
    stage. None where nothing was read.
    """

    request_no: I32
    start_ns: I64
    duration_ns: I64
    user_ns: I64
    latency_ns: I64
    complete: Bool
    open: Bool
    missing: Bool
    failed: Bool
    weight: F64
    route: Coded
    service: Coded
    model: Coded
    status: Coded
    version: Coded
    environment: Coded
    score: F64
    scored: Bool
    good: I8
    ttft_ns: I64
    stages: tuple[str, ...]
    present: tuple[bool, ...]
    stage_ns: I64
    ttft_user_ns: I64 | None = None  # None where no request waits
    incomplete: int = 0
    path: PathTable | None = None
    request_of_node: I32 | None = None
    parent_of_node: I32 | None = None
    stage_of_node: I16 | None = None
    entry_span_no: I32 | None = None
    parts_ns: I64 | None = None
    entry_attributes: EntryAttributes | None = None
    waits: Waits | None = None

    def __len__(self) -> int:
        return len(self.request_no)

    @property
    def routes(self) -> list[str]:
        """The routes that these requests have."""
        return [self.route.names[code] for code in np.flatnonzero(self.route.count())]

    def take(self, rows: npt.NDArray[np.integer]) -> "RequestTable":
        """The given rows alone."""
        whole = {name: getattr(self, name)[rows] for name in _COLUMNS}
        coded = {name: getattr(self, name).take(rows) for name in NAMED}
        entries = None if self.entry_span_no is None else self.entry_span_no[rows]
        parts = None if self.parts_ns is None else self.parts_ns[rows]
        asked = None if self.ttft_user_ns is None else self.ttft_user_ns[rows]
        return replace(self, **whole, **coded, entry_span_no=entries, parts_ns=parts, ttft_user_ns=asked)

    def attribute(self, key: str) -> Coded:
        """The value of an attribute of each request's entry span or, where that has none, of its resource."""
        if self.entry_attributes is None:
            return Coded(np.full(len(self), -1, np.int32), ())
        return self.entry_attributes.of(key, self.request_no)

    def recorded_names(self) -> Coded:
        """The name of each request's entry span as recorded; the route where that is unknown."""
        return self.route if self.entry_attributes is None else self.entry_attributes.names(self.request_no)

    def _route_among(self, choice: str | Sequence[str]) -> Bool:
        """bool[n]: whether the route, or the recorded name of its entry span (with ids), is among `choice`."""
        among = self.route.among(choice)
        unknown = {choice} - {*self.route.names} if isinstance(choice, str) else {*choice} - {*self.route.names}
        return among | self.recorded_names().among(sorted(unknown)) if unknown else among

    def select(
        self, filters: Filters | None = None, include_incomplete: bool = False, whole_entries: bool = False
    ) -> "RequestTable":
        """The requests that pass `filters`; `incomplete` counts those of them that were left out as incomplete.

        Incomplete requests are left out, because where their time went is uncertain. With `whole_entries` only those whose
        entry span is `missing` are: the latency of the others is known however many of their spans are lost, and of the
        `open` ones a lower bound (docs/reference/method.md). With `include_incomplete` none are.
        """
        chosen = np.ones(len(self), bool)
        if filters is not None:
            for name in NAMED:
                choice = getattr(filters, name)
                if choice is not None:
                    chosen &= self._route_among(choice) if name == "route" else getattr(self, name).among(choice)
            for key, values in filters.by_attribute().items():
                chosen &= self.attribute(key).among(values)
            if filters.start is not None:
                chosen &= self.start_ns >= instant_ns(filters.start)
            if filters.end is not None:
                chosen &= self.start_ns < instant_ns(filters.end)
        left_out = chosen & (self.missing if whole_entries else ~self.complete)
        if include_incomplete:
            left_out[:] = False
        if chosen.all() and not left_out.any():
            return replace(self, incomplete=0)
        return replace(self.take(np.flatnonzero(chosen & ~left_out)), incomplete=int(left_out.sum()))


def first_tokens_without_waits(table: RequestTable, waits: Waits) -> RequestTable:
    """First tokens from the request's start but for the waits for a person before them, as latency is."""
    told = table.ttft_ns >= 0
    asked = np.where(told, waits.before(table.start_ns + np.maximum(table.ttft_ns, 0)), 0)
    return replace(table, ttft_ns=table.ttft_ns - asked, ttft_user_ns=asked, waits=None)


def without_waits_for_person(table: RequestTable) -> RequestTable:
    """The stages, and the paths where `table` has them, without waits for a person: they sum to `latency_ns`.

    Waiting for a person is part of no stage: `user_ns` has that time, and no stage, cause or piece of advice counts it.
    """
    if ASKS_PERSON not in table.stages:
        return table
    user = table.stages.index(ASKS_PERSON)
    present = tuple(there and place != user for place, there in enumerate(table.present))
    stage_ns = table.stage_ns
    if table.user_ns.any():
        stage_ns = stage_ns.copy()
        stage_ns[:, user] = 0
    path = None if table.path is None else without_stage(table.path, user)
    return replace(table, stage_ns=stage_ns, present=present, path=path)


NAMED = ("route", "service", "model", "status", "version", "environment")  # columns of text that filters name
_COLUMNS = (
    *("request_no", "start_ns", "duration_ns", "user_ns", "latency_ns", "complete", "open", "missing", "failed"),
    *("weight", "score", "scored", "good", "ttft_ns", "stage_ns"),
)


def instant_ns(instant: datetime | int) -> int:
    """An instant in ns since the epoch; one without a time zone is UTC."""
    if isinstance(instant, int):
        return instant
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    since = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000


def iso(ns: int) -> str:
    """An instant as ISO 8601 text in UTC, to the microsecond."""
    seconds, rest = divmod(ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"
