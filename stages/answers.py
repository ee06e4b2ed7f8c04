"""Which model call gives a request's answer, and when the first token of the answer came.

A turn that calls tools, a guard and an evaluation are model calls, but what they write is not the answer
(docs/reference/method.md, "Inside a model call").
"""

import re
from functools import lru_cache

import numpy as np

from overbudget.kernels.columns import I16, I32, I64, Bool, Requests, Segments, Tree
from overbudget.kernels.jit import kernel
from overbudget.stages.name_words import stage_of_words, words_of
from overbudget.stages.names import DEFAULT_STAGES

SAFETY = DEFAULT_STAGES.index("safety")
# Models that judge a text: their names say so (`llama-guard`, `shieldgemma`, `omni-moderation`).
JUDGING_MODEL = r"(?i)guard|moderation|shieldgemma"
_JUDGES = re.compile(r"\b(evaluators?|judges?|graders?|scorers?)\b")


@lru_cache(maxsize=65536)
def judges(name: str) -> bool:
    """Whether a span's name says that what it contains guards or evaluates: `input_guardrail`, `llm_judge`."""
    return stage_of_words(name) == "safety" or _JUDGES.search(words_of(name)) is not None


@kernel(allocates=False)
def _hand_down(parent, downwards, marked):
    """Mark every node below a marked one."""
    for i in range(downwards.size):
        up = parent[downwards[i]]
        if up >= 0 and marked[up]:
            marked[downwards[i]] = True


@kernel(allocates=False)
def _call_above(parent, downwards, call):
    """Set the call at or above each node, where `call` has that of the calls themselves."""
    for i in range(downwards.size):
        node = downwards[i]
        if call[node] < 0 and parent[node] >= 0:
            call[node] = call[parent[node]]


def call_at_or_above(tree: Tree, calls: I32) -> I32:
    """int32[m]: of each node the nearest of `calls` (nodes) at or above it, -1 for none."""
    found = np.full(len(tree.parent), -1, np.int32)
    found[calls] = calls
    _call_above(tree.parent, tree.downwards, found)
    return found


def below_a_judge(tree: Tree, entry: I32, own_stage: I16, judging: Bool) -> Bool:
    """bool[m]: the nodes that belong to a guard or an evaluation: the stage `own_stage` or the name (`judging`) of theirs or of
    a span above says so. What an entry span is called says nothing about its calls."""
    marked: Bool = (own_stage == SAFETY) | judging
    marked[entry] = False
    if marked.any():
        _hand_down(tree.parent, tree.downwards, marked)
    return marked


def first_tokens(tree: Tree, requests: Requests, segments: Segments, call: I32, answers: Bool, first_ns: I64) -> I64:
    """int64[r]: from each request's start to the first token of its answer, -1 where that records none.

    The answer is the last model call on the critical path that may be one. `call` is the model call at or above each node
    (-1: none), `answers` which calls may be an answer, `first_ns` from a call's start to its first token (-1: none). What
    runs past the request's end is on no path: it is taken where no other call may be the answer, and where it ran after one
    that may, nothing tells which of them answered.
    """
    count = len(requests.entry)
    last, last_end = _last_of_each(count, segments.request, segments.end, _answering(segments.node, call, answers))
    late, late_end = _last_of_each(
        count, segments.request, segments.end, _answering(segments.while_running, call, answers)
    )
    chosen = np.where(last < 0, late, np.where((late >= 0) & (late != last) & (late_end > last_end), -1, last))
    known = np.flatnonzero((chosen >= 0) & (first_ns[chosen] >= 0))
    answer, entry = chosen[known], requests.entry[known]
    found = np.full(count, -1, np.int64)
    came = tree.start[answer] + first_ns[answer]
    found[known] = np.where(came <= tree.end[entry], came - tree.start[entry], -1)
    return found


def _answering(node: I32, call: I32, answers: Bool) -> I32:
    """The call of each node (-1: none) if it may be an answer, else -1."""
    found = np.where(node >= 0, call[node], -1).astype(np.int32)
    return np.where((found >= 0) & answers[found], found, -1).astype(np.int32)


def _last_of_each(count: int, request: I32, end: I64, call: I32) -> tuple[I32, I64]:
    """Of each request the `call` of the segment that ends last and has one, and its end; -1 and 0 for none."""
    last, last_end = np.full(count, -1, np.int32), np.zeros(count, np.int64)
    there = np.flatnonzero(call >= 0)
    there = there[np.lexsort((end[there], request[there]))]
    final = there[np.diff(request[there], append=-1) != 0]
    last[request[final]], last_end[request[final]] = call[final], end[final]
    return last, last_end
