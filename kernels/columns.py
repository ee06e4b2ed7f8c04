"""What kernels take and return: spans, operations, trees, requests and segments as columns. Nothing is compiled here."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

I8 = npt.NDArray[np.int8]
I16 = npt.NDArray[np.int16]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]
Bool = npt.NDArray[np.bool_]

ROOT, ORPHAN = -1, -2  # instead of the parent's position
NO_END = -(2**63)  # instead of an end, where the dump has none
TOO_LATE = 9_214_646_400_000_000_000  # ns: 2262-01-01; the last timestamps are of that spring, and sums need room
LONGEST = 366 * 86_400_000_000_000  # ns: no request takes longer than a year; what ends later has a wrong clock or unit
NO_END_FLAG, NEGATIVE_DURATION, CYCLE, CLIPPED = 1, 2, 4, 8  # bits of Tree.problem
UNSPECIFIED, INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER, OTHER_KIND = range(7)


class SpanColumns(NamedTuple):
    """Spans in any order, whole traces: n entries each."""

    trace_hi: U64
    trace_lo: U64
    span_id: U64
    parent_id: U64  # 0 at a root
    start_ns: I64
    end_ns: I64  # NO_END where the dump has none
    operation: I32


class OperationColumns(NamedTuple):
    """What the kernels need to know of each operation."""

    service: I32  # number of the service
    kind: I8
    peer: I32  # number of the service that a call span says it calls, or -1
    stage: I16  # or -1 where no rule classifies it
    weak: Bool
    under: I16  # the rule counts only where this is the innermost classified stage above; -1: anywhere; below -1: see stages.assign


class Tree(NamedTuple):
    """One entry ("node") per span that is kept: trace by trace; in a trace by start, the longer first, then by span id."""

    row: I32  # index into SpanColumns
    trace: I32
    parent: I32  # node, ROOT or ORPHAN
    start: I64  # cleaned, on the parent's clock
    end: I64
    skew: I64  # ns added to the recorded times
    operation: I32
    span_id: U64
    problem: npt.NDArray[np.uint8]
    downwards: I32  # all nodes, parents before their children


class Duplicates(NamedTuple):
    """Spans that have the same ids as another one, and which of them was kept (rows of SpanColumns)."""

    row: I32
    kept: I32


class Requests(NamedTuple):
    """Requests by start, then trace and position: r entries each."""

    entry: I32  # node
    trace: I32
    complete: Bool
    span_count: I32
    in_flight: I32


class Segments(NamedTuple):
    """Critical-path segments, request by request in time order. They tile every request exactly."""

    request: I32
    node: I32
    start: I64
    end: I64
    hop: I32  # number of the service the request was passing to, or -1 where the time is the span's own
    awaited: Bool  # False where the trace shows what ran then, not that the request waited for it
    while_running: I32  # node that ran then and ends after the request, or -1; the time is `node`'s own
