"""The model call that each span's time belongs to, and the span whose first token divides that time."""

from typing import NamedTuple

import numpy as np

from overbudget.kernels.columns import I16, I32, I64, Bool, Tree
from overbudget.kernels.jit import kernel
from overbudget.stages.names import DEFAULT_STAGES

INFERENCE, QUEUE = DEFAULT_STAGES.index("inference"), DEFAULT_STAGES.index("queue")


class Inference(NamedTuple):
    """Inference in some whole traces, by node."""

    own: Bool  # by its own rule
    counts: Bool  # represents a model call: the outermost span that records it
    stands_for: I32  # of a second record of a call: the node that counts; -1 for others
    first_ns: I64  # from its start to its first token, -1 where it records none
    stage_of: I16  # of the innermost classified span at or above
    waits: I64  # how long it first waits in its server's queue
    answers: Bool  # it may be a request's answer: it asks for no tool, and no guard or evaluation asks for it


class CallTimes(NamedTuple):
    """Per node: `call` is the model call at or nearest above it (-1: none), `clock` the node whose first token divides its
    time (-1: none). `first_ns` and `aside_ns` are set at calls: from the call's start to its first token (-1: none), and how
    long after that other work runs inside it (tools that it waits for)."""

    call: I32
    clock: I32
    first_ns: I64
    aside_ns: I64


@kernel(allocates=False)
def _hand_down(parent, downwards, start, within, counts, stands_for, first_ns, call, outer, inner):
    """Set `call`, `outer` (the outermost node that records a first token within the same stretch of inference) and `inner`
    (of those below, the one whose token comes first)."""
    for i in range(downwards.size):
        node = downwards[i]
        up = parent[node]
        if counts[node]:
            call[node] = node
        elif stands_for[node] >= 0:
            call[node] = stands_for[node]
        elif up >= 0:
            call[node] = call[up]
        if within[node]:
            if up >= 0 and within[up] and outer[up] >= 0:
                outer[node] = outer[up]
            elif first_ns[node] >= 0:
                outer[node] = node
    for i in range(downwards.size - 1, -1, -1):
        node = downwards[i]
        if first_ns[node] >= 0 and within[node]:
            inner[node] = node
        up = parent[node]
        if inner[node] < 0 or up < 0 or not within[up]:
            continue
        known = inner[up]
        if known < 0 or start[inner[node]] + first_ns[inner[node]] < start[known] + first_ns[known]:
            inner[up] = inner[node]


@kernel(allocates=False)
def _other_work(parent, start, end, within, call, first_ns, reach, aside):
    """Add to `aside` how long other work than inference runs inside a call after its first token; nodes in order of start."""
    for node in range(parent.size):
        up = parent[node]
        if up < 0 or within[node] or not within[up] or call[up] < 0:
            continue
        c = call[up]
        since = max(start[node], start[c] + max(first_ns[c], 0), reach[c])
        until = min(end[node], end[c])
        if until > since:
            aside[c] += until - since
            reach[c] = until


def call_times(tree: Tree, inference: Inference) -> CallTimes:
    """The call times of some whole traces."""
    nodes = len(tree.parent)
    within = inference.stage_of == INFERENCE
    recorded = np.where(inference.own, inference.first_ns, -1)
    call, outer, inner = (np.full(nodes, -1, np.int32) for _ in range(3))
    _hand_down(
        tree.parent,
        tree.downwards,
        tree.start,
        within,
        inference.counts,
        inference.stands_for,
        recorded,
        call,
        outer,
        inner,
    )
    clock = np.where(outer >= 0, outer, inner)
    twins = _of_other_records(clock, inference.stands_for)
    first = np.full(nodes, -1, np.int64)
    calls = np.flatnonzero(inference.counts)
    teller = np.where(recorded[calls] >= 0, calls, np.where(inner[calls] >= 0, inner[calls], twins[calls]))
    told = teller >= 0
    call_start, teller = tree.start[calls[told]], teller[told]
    first_token = tree.start[teller] + recorded[teller] - call_start
    first[calls[told]] = np.clip(first_token, 0, tree.end[calls[told]] - call_start)
    aside, reach = np.zeros(nodes, np.int64), np.zeros(nodes, np.int64)
    _other_work(tree.parent, tree.start, tree.end, within, call, first, reach, aside)
    clock = np.where((clock < 0) & (call >= 0), np.where(clock[call] >= 0, clock[call], twins[call]), clock)
    return CallTimes(call, clock, first, aside)


def _of_other_records(clock: I32, stands_for: I32) -> I32:
    """Per node of a call that is recorded twice the node by which its other record tells a first token; -1 for none."""
    twins = np.full(len(clock), -1, np.int32)
    again = np.flatnonzero((stands_for >= 0) & (clock >= 0))
    twins[stands_for[again]] = clock[again]
    return twins


def calls_that_answer(inference: Inference, call: I32) -> Bool:
    """bool[nodes]: the model calls that may be a request's answer, by what they and the last span that records them say."""
    records = np.flatnonzero(inference.own & (call >= 0))
    last = np.full(len(call), -1, np.int32)
    last[call[records]] = records  # in order of start: of several the last stays
    return inference.counts & inference.answers & np.where(last >= 0, inference.answers[last], True)
