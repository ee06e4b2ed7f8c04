"""Which model call each piece of the critical path belongs to, and what its tokens cost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np

from overbudget.analysis.causes.token_calls import Bool, TokenCalls, read_token_calls, records_tokens
from overbudget.analysis.causes.token_costs import (
    LEAST_FITTED,
    MOST_FITTED,
    NOTHING_TOLD,
    CallSample,
    ModelCost,
    fitted,
)
from overbudget.analysis.requests.path import PathTable
from overbudget.analysis.requests.table import I32, I64, RequestTable
from overbudget.kernels.arrow import numbers, row_of

INFERENCE = "inference"
MOST_PIECES = 50_000  # pieces of the path that are looked up, of evenly chosen requests; means need no more
DEEPEST = 16  # levels between a span that takes time and the span that records the tokens


@dataclass(frozen=True)
class PathTokens:
    """`call_of_span[span_no]` is the row of `calls` that a span's self time on the path belongs to, -1 for none: the span
    itself, or the nearest model call above it within inference that records tokens. `fits` are the rows of `calls` that a fit
    may use, `conversation` the number of each one's conversation, both over evenly chosen requests."""

    calls: TokenCalls
    call_of_span: I32
    fits: I64
    conversation: I64

    def of(self, span_no: I32) -> I32:
        """The row of `calls` of each span."""
        inside = span_no < len(self.call_of_span)
        return np.where(inside, self.call_of_span[np.where(inside, span_no, 0)], -1)


def read_path_tokens(
    connection: duckdb.DuckDBPyConnection, path: PathTable, cohort: RequestTable, every: RequestTable
) -> PathTokens | None:
    """The tokens on the path of the requests in `cohort`. Costs are fitted over `every` request: among requests selected
    for being slow, tokens seem to cost more than they do. None where no tokens are recorded."""
    if INFERENCE not in every.stages or not records_tokens(connection):
        return None
    here = np.flatnonzero(path.stage == every.stages.index(INFERENCE))
    rows = here[_evenly(row_of(cohort.request_no, path.request_no[here]), MOST_PIECES)]
    sampled = here[_evenly(row_of(every.request_no, path.request_no[here]), 2 * MOST_FITTED)]
    tree = connection.sql("SELECT span_no, parent, stage_id FROM data.tree ORDER BY node").to_arrow_table()
    span = numbers(tree["span_no"])
    parent = numbers(tree["parent"]) if every.parent_of_node is None else every.parent_of_node
    stage = numbers(tree["stage_id"]) if every.stage_of_node is None else every.stage_of_node
    inference = stage == every.stages.index(INFERENCE)
    node_of = np.full(int(span.max(initial=-1)) + 1, -1, np.int32)
    node_of[span] = np.arange(len(span), dtype=np.int32)
    leaf = np.unique(node_of[path.span_no[np.concatenate([rows, sampled])]])
    calls = read_token_calls(connection, span[_upwards(leaf, parent, inference)])
    if len(calls.span_no) == 0:
        return None
    call_of = np.full(len(span), -1, np.int32)
    call_of[node_of[calls.span_no]] = np.arange(len(calls.span_no), dtype=np.int32)
    call_of_span = np.full(len(node_of), -1, np.int32)
    call_of_span[span[leaf]] = _nearest(leaf, parent, inference, call_of)
    plain = ~_holds_others(node_of[calls.span_no], parent, inference)
    owner = call_of_span[path.span_no[sampled]]
    known = np.flatnonzero(owner >= 0)
    fits, first = np.unique(owner[known].astype(np.int64), return_index=True)
    request = path.request_no[sampled[known[first]]]
    usable = (calls.fits & plain)[fits]
    return PathTokens(calls, call_of_span, fits[usable], _conversations(connection, every, request)[usable])


def _evenly(row: I32, most: int) -> I64:
    """Indices of rows that belong to a request (row >= 0), at most about `most`: those of every k-th request."""
    there = np.flatnonzero(row >= 0)
    step = -(-len(there) // most) if len(there) else 1
    chosen: I64 = there[row[there] % step == 0]
    return chosen


def _upwards(leaf: I32, parent: I32, inference: Bool) -> I32:
    """The nodes and those above them within inference."""
    found, now = [leaf], leaf
    for _ in range(DEEPEST):
        now = np.unique(parent[now])
        now = now[(now >= 0) & inference[now]]
        if len(now) == 0:
            break
        found.append(now)
    return np.unique(np.concatenate(found))


def _nearest(leaf: I32, parent: I32, inference: Bool, call_of: I32) -> I32:
    """For each node its own call, or the nearest call above it within inference; -1 for none."""
    found, now = call_of[leaf], leaf
    for _ in range(DEEPEST):
        up = np.where(now >= 0, parent[now], -1)
        now = np.where((up >= 0) & inference[up], up, -1)
        found = np.where((found < 0) & (now >= 0), call_of[now], found)
        if not (now >= 0).any():
            break
    return found


def _holds_others(node: I32, parent: I32, inference: Bool) -> Bool:
    """Which nodes have a child that is not inference, so that not all of their time is the model's."""
    below = np.flatnonzero((parent >= 0) & ~inference)
    holds = np.zeros(len(parent), bool)
    holds[parent[below]] = True
    return holds[node]


def _conversations(connection: duckdb.DuckDBPyConnection, table: RequestTable, request_no: I32) -> I64:
    """The number of each request's conversation; where none is recorded, the request's own number."""
    if table.entry_span_no is not None:
        return request_no.astype(np.int64)
    rows = connection.sql(
        """SELECT request_no, coalesce(-1 - (hash(conversation_id) >> 2)::BIGINT, request_no::BIGINT) AS conversation
           FROM requests ORDER BY request_no"""
    ).to_arrow_table()
    return numbers(rows["conversation"])[row_of(numbers(rows["request_no"]), request_no)]


def cost_of_models(sides: Sequence[PathTokens | None]) -> Callable[[str], ModelCost]:
    """What the tokens of a model cost, over all sides together; fitted on demand."""
    known: dict[str, ModelCost] = {}

    def cost_of(model: str) -> ModelCost:
        if model not in known:
            sample = _of_model(sides, model)
            known[model] = fitted(sample) if sample is not None and len(sample) >= LEAST_FITTED else NOTHING_TOLD
        return known[model]

    return cost_of


def _of_model(sides: Sequence[PathTokens | None], model: str) -> CallSample | None:
    samples = []
    for number, side in enumerate(sides):
        if side is not None and model in side.calls.model.names:
            here = side.calls.model.codes[side.fits] == side.calls.model.names.index(model)
            apart = np.int64(len(sides)) * side.conversation[here] + number
            samples.append(side.calls.sample(side.fits[here], number, apart).evenly(MOST_FITTED // len(sides)))
    if not samples:
        return None
    names = CallSample.__dataclass_fields__
    return CallSample(*(np.concatenate([getattr(one, name) for one in samples]) for name in names))
