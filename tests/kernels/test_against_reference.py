"""The kernel and the second implementation agree on random traces, and what must always hold does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overbudget.kernels.columns import PRODUCER, OperationColumns, Requests, Segments, SpanColumns, Tree
from overbudget.kernels.critical_path import critical_path
from overbudget.kernels.jit import AS_PYTHON
from overbudget.kernels.path_items import without_background
from overbudget.kernels.span_tree import build_tree, find_requests
from overbudget.stages.assign import stage_of_nodes, stage_times
from tests.kernels.reference import Segment, Span
from tests.kernels.reference import critical_path as reference

STAGES = 4
OPERATIONS = OperationColumns(
    service=np.array([0, 0, 1, 1, 2, 2, 0, 1], np.int32),
    kind=np.array([1, 2, 3, 1, 2, 5, PRODUCER, 1], np.int8),
    peer=np.array([-1, -1, 3, -1, -1, -1, -1, -1], np.int32),
    stage=np.array([-1, 0, 1, 2, 1, -1, -1, -1], np.int16),
    weak=np.array([False, False, True, False, False, False, False, False]),
    under=np.full(8, -1, np.int16),
)
BACKGROUND = 7  # the operation that nobody waits for


def random_traces(rng: np.random.Generator, traces: int, most: int, span: int, outlive: float) -> SpanColumns:
    """Traces of small integer times: many ties, touching siblings, zero lengths, children that outlive their parents."""
    rows = []
    for trace in range(traces):
        count = int(rng.integers(1, most + 1))
        starts, ends = [0], [int(rng.integers(1, span + 1))]
        rows.append((trace, 1, 0, starts[0], ends[0]))
        for number in range(1, count):
            parent = int(rng.integers(0, number))
            low, high = starts[parent], ends[parent]
            start = int(rng.integers(low, max(high, low) + 1))
            longest = span if rng.random() < outlive else high
            end = int(rng.integers(start, max(longest, start) + 1))
            starts.append(start)
            ends.append(end)
            rows.append((trace, number + 1, parent + 1, start, end))
    table = np.array(rows, np.int64)
    trace = table[:, 0].astype(np.uint64) + np.uint64(1)
    return SpanColumns(
        trace * np.uint64(7), trace, table[:, 1].astype(np.uint64), table[:, 2].astype(np.uint64),
        table[:, 3] + 1_000, table[:, 4] + 1_000, rng.integers(0, 8, len(rows)).astype(np.int32),
    )  # fmt: skip


def run(spans: SpanColumns) -> tuple[Tree, Requests, np.ndarray, Segments]:  # type: ignore[type-arg]
    tree, _ = build_tree(spans, OPERATIONS, skew=False)
    requests, request_of = find_requests(tree, OPERATIONS)
    tree, request_of = without_background(tree, request_of, requests.entry, tree.operation == BACKGROUND)
    return tree, requests, request_of, critical_path(tree, requests, OPERATIONS, request_of)


def by_trace(spans: SpanColumns) -> dict[int, list[Segment]]:
    """The kernel's segments per trace."""
    tree, requests, _, segments = run(spans)
    found: dict[int, list[Segment]] = {int(t): [] for t in np.unique(spans.trace_lo)}
    trace = spans.trace_lo[tree.row[requests.entry]]
    for i in range(len(segments.node)):
        runner = int(segments.while_running[i])
        found[int(trace[segments.request[i]])].append(
            Segment(
                int(tree.span_id[segments.node[i]]),
                int(segments.start[i]),
                int(segments.end[i]),
                bool(segments.awaited[i]),
                int(tree.span_id[runner]) if runner >= 0 else None,
            )
        )
    return found


def by_reference(spans: SpanColumns) -> dict[int, list[Segment]]:
    found = {}
    for trace in np.unique(spans.trace_lo):
        rows = np.flatnonzero(spans.trace_lo == trace)
        known = {
            int(spans.span_id[r]): Span(
                int(spans.span_id[r]),
                int(spans.start_ns[r]),
                int(spans.end_ns[r]),
                producer=bool(OPERATIONS.kind[spans.operation[r]] == PRODUCER),
                background=bool(spans.operation[r] == BACKGROUND),
            )
            for r in rows
        }
        top = None
        for r in rows:
            span, parent = known[int(spans.span_id[r])], int(spans.parent_id[r])
            if parent:
                span.parent = known[parent]
                known[parent].children.append(span)
            else:
                top = span
        assert top is not None
        found[int(trace)] = reference(top)
    return found


@pytest.mark.parametrize(("span", "outlive"), [(6, 0.0), (6, 0.5), (12, 0.2), (12, 0.9), (60, 0.3), (1_000_000, 0.4)])
def test_kernel_and_reference_agree_on_ten_thousand_random_traces(span: int, outlive: float) -> None:
    spans = random_traces(np.random.default_rng(span), 200 if AS_PYTHON else 1_700, 12, span, outlive)
    assert by_trace(spans) == by_reference(spans)


@settings(max_examples=150)
@given(st.integers(0, 2**32 - 1), st.integers(1, 22), st.sampled_from([3, 8, 30]), st.floats(0, 1))
def test_kernel_and_reference_agree_whatever_the_trace(seed: int, most: int, span: int, outlive: float) -> None:
    spans = random_traces(np.random.default_rng(seed), 3, most, span, outlive)
    assert by_trace(spans) == by_reference(spans)


def chains(rng: np.random.Generator, traces: int, deep: int, span: int) -> SpanColumns:
    """A request over a chain of spans of which each outlives the one above it most of the time, and siblings beside it."""
    rows = []
    for trace in range(traces):
        rows.append((trace, 1, 0, 0, span))
        above, start, end = 1, 0, int(rng.integers(1, span))
        for number in range(2, deep + 2):
            start = int(rng.integers(start, min(start + 3, end) + 1))
            end = int(np.clip(end + rng.integers(-1, 6), start, span + 5))
            rows.append((trace, number, above, start, end))
            above = number if rng.random() < 0.9 else above
    table = np.array(rows, np.int64)
    trace = table[:, 0].astype(np.uint64) + np.uint64(1)
    return SpanColumns(
        trace, trace, table[:, 1].astype(np.uint64), table[:, 2].astype(np.uint64),
        table[:, 3] + 1_000, table[:, 4] + 1_000, rng.integers(0, 8, len(rows)).astype(np.int32),
    )  # fmt: skip


@pytest.mark.parametrize("span", [40, 400])
def test_kernel_and_reference_agree_on_chains_of_spans_that_outlive_the_one_above(span: int) -> None:
    spans = chains(np.random.default_rng(span), 20 if AS_PYTHON else 400, 25, span)
    assert by_trace(spans) == by_reference(spans)


@pytest.mark.skipif(AS_PYTHON, reason="far too slow")
def test_the_way_down_a_chain_is_gone_once_and_not_for_each_part_of_it() -> None:
    """A million spans, each of which outlives the one above: were each part's way gone anew, it would take days."""
    n = 1_000_000
    number = np.arange(n, dtype=np.int64)
    one = np.ones(n, np.uint64)
    start, end = number + 1_000, 2 * n + number
    end[0] = 10 * n
    spans = SpanColumns(
        one, one, (number + 1).astype(np.uint64), number.astype(np.uint64), start, end, np.zeros(n, np.int32)
    )
    tree, _, _, segments = run(spans)
    assert int((segments.end - segments.start).sum()) == int(end[0] - start[0])
    last = tree.span_id[segments.node] == n
    assert int((segments.end - segments.start)[last].sum()) == 3 * n - 1 - int(start[-1])


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.sampled_from([4, 50, 10**12]), st.floats(0, 1))
def test_segments_tile_every_request_and_stage_times_sum_to_it(seed: int, span: int, outlive: float) -> None:
    spans = random_traces(np.random.default_rng(seed), 20, 30, span, outlive)
    tree, requests, request_of, segments = run(spans)
    duration = tree.end[requests.entry] - tree.start[requests.entry]
    for request in range(len(duration)):
        mine = segments.request == request
        starts, ends = segments.start[mine], segments.end[mine]
        assert (starts[1:] == ends[:-1]).all()
        assert (ends > starts).all()
        if duration[request]:
            assert (starts[0], ends[-1]) == (tree.start[requests.entry[request]], tree.end[requests.entry[request]])
    stage_of = stage_of_nodes(tree, OPERATIONS, STAGES - 1)
    stage_ns, busy_ns, count = stage_times(tree, requests, request_of, segments, stage_of, STAGES)
    assert (stage_ns.sum(axis=1) == duration).all()
    assert (busy_ns <= duration[:, None]).all()
    assert count.sum() == (request_of >= 0).sum()


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_the_order_of_the_input_and_how_it_is_split_do_not_matter(seed: int, outlive: float) -> None:
    rng = np.random.default_rng(seed)
    spans = random_traces(rng, 8, 25, 20, outlive)
    expected = by_trace(spans)
    order = rng.permutation(len(spans.span_id))
    shuffled = SpanColumns(*(column[order] for column in spans))
    assert by_trace(shuffled) == expected
    halves: dict[int, list[tuple[int, int, int]]] = {}
    for part in (0, 1):
        rows = np.flatnonzero(spans.trace_lo % 2 == part)
        if len(rows):
            halves |= by_trace(SpanColumns(*(column[rows] for column in spans)))
    assert halves == expected
