"""Rows of the relation `stage_parts`: a request's path time in inference, by part.

The parts are the time before the first token and the writing after it, by the outermost span that records a first token; and
prefill and decode, where a server records them as spans or attributes (docs/reference/method.md, "Inside a model call").
"""

import numpy as np
import pyarrow as pa

from overbudget.ingest.derive.call_times import INFERENCE, CallTimes, Inference
from overbudget.ingest.derive.model_calls import Said
from overbudget.kernels.columns import I16, I32, I64, Segments, Tree
from overbudget.stages.operation_table import Catalogue
from overbudget.stages.phases import phases_of

FIRST_TOKEN, WRITING, PREFILL, DECODE = "first_token", "writing", "prefill", "decode"


def part_rows(
    tree: Tree,
    inference: Inference,
    times: CallTimes,
    segments: Segments,
    segment_stage: I16,
    catalogue: Catalogue,
    calls: I32,
    said: Said,
) -> pa.Table:
    """Rows of data.stage_parts whose request_no counts from 0."""
    here = np.flatnonzero(segment_stage == INFERENCE)
    node, start, end = segments.node[here], segments.start[here], segments.end[here]
    clock = times.clock[node]
    known = clock >= 0
    teller = np.maximum(clock, 0)
    instant = tree.start[teller] + inference.first_ns[teller]
    before = np.where(known, np.clip(instant, start, end) - start, 0)
    after = np.where(known, end - start - before, 0)
    prefill, decode = _phases(tree, inference, times, calls, said, node, start, end)
    phase = phases_of(catalogue.names)[catalogue.name_codes[tree.operation[node]]]
    parts = {FIRST_TOKEN: before, WRITING: after}
    for name, reported in ((PREFILL, prefill), (DECODE, decode)):
        parts[name] = np.where(phase == name, end - start, reported)
    return pa.concat_tables([_rows(name, segments.request[here], ns) for name, ns in parts.items()])


def _phases(
    tree: Tree, inference: Inference, times: CallTimes, calls: I32, said: Said, node: I32, start: I64, end: I64
) -> tuple[I64, I64]:
    """Each segment's prefill and decode time, as its call reports them: queue, prefill and decode in this order."""
    lengths = [np.zeros(len(tree.parent), np.int64) for _ in range(2)]
    for length, name in zip(lengths, (PREFILL, DECODE), strict=True):
        length[calls] = said.length(name)
    call = np.maximum(times.call[node], 0)
    begin = tree.start[call] + inference.waits[call]
    found = []
    for length in lengths:
        ns = np.where(times.call[node] >= 0, length[call], 0)
        found.append(np.maximum(np.minimum(end, begin + ns) - np.maximum(start, begin), 0))
        begin = begin + ns
    return found[0], found[1]


def _rows(part: str, request: I32, ns: I64) -> pa.Table:
    """One part of the requests that have it."""
    total = np.bincount(request, ns).astype(np.int64)
    there = np.flatnonzero(total)
    return pa.table(
        {
            "request_no": there.astype(np.int32),
            "stage_id": np.full(len(there), INFERENCE, np.int16),
            "part": pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(there), np.int32)), pa.array([part])),
            "part_ns": total[there],
        }
    )
