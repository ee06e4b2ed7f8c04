"""Rows of the relation `model_calls`: each call's duration, time on the critical path, tokens and cost."""

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from overbudget.ingest.derive.call_times import INFERENCE, QUEUE, CallTimes, Inference
from overbudget.ingest.write.facts import FACT_NAMES
from overbudget.kernels.arrow import numbers
from overbudget.kernels.columns import I16, I32, I64, Bool, Segments, Tree
from overbudget.kernels.retries import retries
from overbudget.stages.first_token import settled_sql
from overbudget.stages.operation_table import Catalogue
from overbudget.stages.phases import PHASES, phases_of
from overbudget.stages.recorded_numbers import amount_sql, tokens_sql
from overbudget.store.tables import passing

_TEXTS = ("model", "provider")
_COUNTS = ("input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
_CODE = {name: number for number, name in enumerate(FACT_NAMES)}
_ASKED = ", ".join(str(_CODE[name]) for name in (*_TEXTS, *_COUNTS, "cost", *(f"{name}_s" for name in PHASES)))


def _outermost(name: str) -> str:
    return f"arg_min(value, place) FILTER (fact = {_CODE[name]})"


def _text(name: str) -> str:
    return f"""nullif(trim({_outermost(name)}, '"'), '')"""  # MLflow writes texts in JSON's quotes


def _phase(name: str) -> str:
    return settled_sql(f"try_cast({_outermost(f'{name}_s')} AS DOUBLE) * 1e9", "min(took_ns)")


# The facts of each call: for each fact the value of the call's own span, else of the outermost span that records it (the least
# `place`). `call` is a node.
_SAID = f"""
SELECT call, {", ".join(f"{_text(name)} AS {name}" for name in _TEXTS)},
    {", ".join(f"{tokens_sql(_outermost(name))} AS {name}" for name in _COUNTS)},
    {amount_sql(_outermost("cost"))} AS cost,
    {", ".join(f"coalesce({_phase(name)}, 0)::BIGINT AS {name}_ns" for name in PHASES)}
FROM facts JOIN spans_of_calls USING (span_no) WHERE fact IN ({_ASKED}) GROUP BY call
"""


class Said:
    """The facts that model calls of some whole traces record: one row each, `calls[i]` is the node of row i."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        tree: Tree,
        span_no: I32,
        inference: Inference,
        times: CallTimes,
        calls: I32,
    ) -> None:
        """Needs the temporary table `facts`."""
        nodes = np.flatnonzero(inference.own & (times.call >= 0)).astype(np.int32)
        spans = {
            "span_no": span_no[nodes],
            "place": np.where(nodes == times.call[nodes], -1, nodes).astype(np.int32),
            "call": times.call[nodes],
            "took_ns": tree.end[nodes] - tree.start[nodes],
        }
        with passing(connection, spans_of_calls=pa.table(spans)):
            self._rows = connection.sql(_SAID).to_arrow_table()
        place = np.full(len(tree.parent), -1, np.int64)
        place[numbers(self._rows["call"])] = np.arange(self._rows.num_rows)
        row = place[calls]
        self._take = pa.array(row, mask=row < 0)

    def column(self, name: str) -> pa.ChunkedArray:
        """One fact of all calls, null where it is not recorded."""
        return self._rows[name].take(self._take)

    def length(self, name: str) -> I64:
        """How long a phase of each call took in ns, 0 where it is not recorded."""
        return numbers(self.column(f"{name}_ns").fill_null(0))


def call_rows(
    tree: Tree,
    span_no: I32,
    request_of: I32,
    inference: Inference,
    times: CallTimes,
    segments: Segments,
    segment_stage: I16,
    catalogue: Catalogue,
    failed: Bool,
    calls: I32,
    said: Said,
    answers: Bool,
) -> pa.Table:
    """Rows of data.model_calls whose request_no counts from 0; `failed` are the nodes that failed, `answers` those that may be
    an answer."""
    nodes = len(tree.parent)
    owner = times.call[segments.node]
    of_model = ((segment_stage == INFERENCE) | (segment_stage == QUEUE)) & (owner >= 0)
    took = (segments.end - segments.start)[of_model]
    on_path = np.bincount(owner[of_model], took, minlength=nodes).astype(np.int64)[calls]
    first = times.first_ns[calls]
    length = tree.end[calls] - tree.start[calls]
    queue = inference.waits[calls] + _in_queues(tree, catalogue, times.call)[calls]
    spent = _in_phases(tree, catalogue, times.call)
    phases = {name: np.maximum(said.length(name), spent[name][calls]) for name in PHASES}
    again = _repeats(tree, calls, catalogue, failed)
    return pa.table(
        {
            "span_no": span_no[calls],
            "request_no": request_of[calls],
            "duration_ns": length,
            "on_path_ns": on_path,
            "queue_ns": _known(queue, queue > 0),
            "first_token_ns": _known(first, first >= 0),
            "writing_ns": _known(np.maximum(length - first - times.aside_ns[calls], 0), first >= 0),
            **{f"{name}_ns": _known(ns, ns > 0) for name, ns in phases.items()},
            **{name: said.column(name) for name in (*_TEXTS, *_COUNTS, "cost")},
            "retry_of": _known(span_no[calls][again], again >= 0),
            "may_answer": answers[calls],
        }
    )


def _known(values: npt.NDArray[np.generic], known: Bool) -> pa.Array:
    return pa.array(values, mask=~known)


def _in_phases(tree: Tree, catalogue: Catalogue, call: I32) -> dict[str, I64]:
    """Per call (by node) how long the spans of each phase below it take."""
    phase = phases_of(catalogue.names)
    found = {}
    for name in PHASES:
        spans = np.flatnonzero((phase == name)[catalogue.name_codes[tree.operation]] & (call >= 0))
        took = tree.end[spans] - tree.start[spans]
        found[name] = np.bincount(call[spans], took, minlength=len(call)).astype(np.int64)
    return found


def _in_queues(tree: Tree, catalogue: Catalogue, call: I32) -> I64:
    """Per call (by node) how long spans of the stage queue below it take."""
    waits = np.flatnonzero((catalogue.columns.stage[tree.operation] == QUEUE) & (call >= 0))
    took = tree.end[waits] - tree.start[waits]
    return np.bincount(call[waits], took, minlength=len(call)).astype(np.int64)


def _repeats(tree: Tree, calls: I32, catalogue: Catalogue, failed: Bool) -> I64:
    """The index of the failed call that each call retries, -1 for none."""
    if not failed[calls].any():
        return np.full(len(calls), -1, np.int64)
    operation = tree.operation[calls]
    called = (
        catalogue.columns.service[operation].astype(np.int64) * len(catalogue.names) + catalogue.name_codes[operation]
    )
    kind = np.unique(called, return_inverse=True)[1].astype(np.int32)
    above = np.unique(tree.parent[calls], return_inverse=True)[1].astype(np.int32)
    above[tree.parent[calls] < 0] = -1
    return retries(above, tree.start[calls], tree.end[calls], kind, failed[calls]).astype(np.int64)
