"""From stored spans to everything computed from them: trees, requests, critical paths, stage times.

Works on whole traces in partitions, so that memory stays bounded however large the dataset is.
"""

from dataclasses import dataclass, field, replace

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from overbudget.ingest.derive.adopted_tools import adopted_tools
from overbudget.ingest.derive.call_times import CallTimes, Inference, call_times, calls_that_answer
from overbudget.ingest.derive.hop_stages import HopStages
from overbudget.ingest.derive.inference import inference_of
from overbudget.ingest.derive.model_calls import Said, call_rows
from overbudget.ingest.derive.parts import Part, computed_parts
from overbudget.ingest.derive.requests import RequestRows, fold_facts
from overbudget.ingest.derive.stage_parts import part_rows
from overbudget.ingest.derive.unusable_numbers import unusable_numbers
from overbudget.kernels.arrow import numbers
from overbudget.kernels.columns import (
    CLIPPED,
    I16,
    I32,
    NEGATIVE_DURATION,
    NO_END_FLAG,
    ORPHAN,
    Bool,
    Requests,
    Tree,
)
from overbudget.stages.answers import first_tokens
from overbudget.stages.operation_table import Catalogue
from overbudget.store.relations import schema_sql
from overbudget.store.tables import insert, passing

DERIVED = [
    *("data.stages", "data.places", "data.tree", "data.skew", "requests", "data.segments", "data.stage_time"),
    *("data.stage_parts", "data.model_calls"),
]


@dataclass
class Derivation:
    """The outcome: counts, and the spans (by span_no) of each warning code."""

    traces: int = 0
    requests: int = 0
    spans_of_operation: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    warnings: dict[str, list[I32]] = field(default_factory=dict)

    def note(self, code: str, span_nos: I32) -> None:
        if len(span_nos):
            self.warnings.setdefault(code, []).append(span_nos)


def derive(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue, adjust_clocks: bool = True) -> Derivation:
    """Like `_derive`; set-up spans are requests only where the dataset has no other request."""
    outcome = _derive(connection, catalogue, adjust_clocks)
    if outcome.requests or not catalogue.setup.any():
        return outcome
    again = _derive(connection, replace(catalogue, setup=np.zeros_like(catalogue.setup)), adjust_clocks)
    again.warnings.update({code: found for code, found in outcome.warnings.items() if code not in again.warnings})
    return again


def _derive(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue, adjust_clocks: bool) -> Derivation:
    """Fill the relations in DERIVED from data.spans and the temporary table `facts` (see ingest.write.facts).

    Spans that are stored twice are removed: the one that ended last stays. `catalogue` has the operations with
    their stages. Clock skew between services is taken out unless `adjust_clocks` is off. Everything happens in the
    caller's transaction; the spans must have been committed before it.
    """
    if connection.execute(
        "SELECT 1 FROM data.stages LIMIT 1"
    ).fetchone():  # derived before; a new dataset's are empty yet
        for relation in reversed(DERIVED):
            connection.execute(f"DROP TABLE {relation}")
        for relation in DERIVED:
            connection.execute(schema_sql(relation))
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS removed_spans AS FROM data.spans LIMIT 0")
    insert(
        connection,
        "data.stages",
        pa.table({"stage_id": pa.array(range(len(catalogue.stages)), pa.int16()), "stage": catalogue.stages}),
    )
    insert(
        connection,
        "data.places",
        pa.table(
            {
                "place_id": pa.array(range(len(catalogue.places)), pa.int32()),
                "place": pa.array(catalogue.places, pa.string()),
            }
        ),
    )

    outcome = Derivation(spans_of_operation=np.zeros(catalogue.count, np.int64))
    rows = RequestRows()
    nodes = 0
    hop_stages = HopStages(catalogue)
    adopted = adopted_tools(connection, catalogue)
    failed = _failed_calls(connection, catalogue)
    outcome.note("adopted_tool", adopted.span_no)
    for part in computed_parts(connection, catalogue, adopted, adjust_clocks):
        tree, requests, span_no = part.tree, part.requests, part.span_no
        _remove_duplicates(connection, part, outcome)
        _insert_nodes(connection, part, nodes, outcome.traces, rows.count)
        _insert_path(
            connection, part, rows.count, hop_stages.yet(part.tree, part.segments, part.segment_stage, part.stage_of)
        )
        _insert_stage_time(connection, part, rows.count)
        _note_warnings(tree, span_no, requests, outcome, catalogue.missing)
        outcome.note("unusable_number", unusable_numbers(connection, tree, span_no))
        inference = inference_of(
            connection, tree, span_no, requests.entry, part.request_of, catalogue, part.stage_of, part.waits
        )
        times = call_times(tree, inference)
        answers = calls_that_answer(inference, times.call)
        first_token_ns = first_tokens(tree, requests, part.segments, times.call, answers, times.first_ns)
        calls = _insert_calls(connection, part, inference, times, answers, catalogue, failed, rows.count)
        facts = fold_facts(connection, tree, span_no, part.request_of, inference, first_token_ns, calls)
        rows.add(requests, tree, span_no, part.shapes, part.person, facts)
        outcome.spans_of_operation += np.bincount(tree.operation, minlength=catalogue.count)
        nodes += len(tree.row)
        outcome.traces += int(tree.trace[-1]) + 1 if len(tree.trace) else 0
    rows.insert(connection)
    hop_stages.settle(connection)
    outcome.requests = rows.count
    return outcome


def _remove_duplicates(connection: duckdb.DuckDBPyConnection, part: Part, outcome: Derivation) -> None:
    """Delete spans that are stored already, and distinguish copies from different spans with the same ids."""
    span_no, duplicates = part.row_span_no, part.duplicates
    if len(duplicates.row) == 0:
        return
    pairs = pa.table({"removed": span_no[duplicates.row], "kept": span_no[duplicates.kept]})
    compared = ["start_ns", "end_ns", "operation_id", "parent_span_id", "status_code", "status_message", "attributes"]
    a, b = (", ".join(f"{side}.{column}" for column in compared) for side in "ab")
    with passing(connection, pairs=pairs):
        told = connection.sql(
            f"""SELECT removed, ({a}) IS DISTINCT FROM ({b}) AS differs FROM pairs
                JOIN data.spans a ON a.span_no = removed JOIN data.spans b ON b.span_no = kept ORDER BY removed"""
        ).to_arrow_table()
        connection.execute(
            "INSERT INTO removed_spans SELECT * FROM data.spans WHERE span_no IN (SELECT removed FROM pairs)"
        )
        for relation in ("data.spans", "data.events", "data.links", "facts"):
            connection.execute(f"DELETE FROM {relation} WHERE span_no IN (SELECT removed FROM pairs)")
    removed, differs = told["removed"].to_numpy(), told["differs"].to_numpy()
    outcome.note("duplicate_span", removed[~differs])
    outcome.note("conflicting_duplicate", removed[differs])


def _insert_nodes(
    connection: duckdb.DuckDBPyConnection, part: Part, first_node: int, first_trace: int, first_request: int
) -> None:
    tree, span_no, request_of = part.tree, part.span_no, part.request_of
    parent = np.where(tree.parent >= 0, tree.parent + np.int32(first_node), tree.parent).astype(np.int32)
    insert(
        connection,
        "data.tree",
        pa.table(
            {
                "node": np.arange(first_node, first_node + len(span_no), dtype=np.int32),
                "span_no": span_no,
                "trace_no": tree.trace + np.int32(first_trace),
                "parent": parent,
                "start_ns": tree.start,
                "end_ns": tree.end,
                "operation_id": tree.operation,
                "request_no": np.where(request_of >= 0, request_of + np.int32(first_request), -1).astype(np.int32),
                "stage_id": part.stage_of,
            }
        ),
    )
    skewed = np.flatnonzero(tree.skew)
    if len(skewed):
        insert(connection, "data.skew", pa.table({"span_no": span_no[skewed], "skew_ns": tree.skew[skewed]}))


def _insert_path(connection: duckdb.DuckDBPyConnection, part: Part, first_request: int, stage: I16) -> None:
    segments, running = part.segments, part.segments.while_running
    insert(
        connection,
        "data.segments",
        pa.table(
            {
                "request_no": segments.request + np.int32(first_request),
                "span_no": part.span_no[segments.node],
                "start_ns": segments.start,
                "end_ns": segments.end,
                "operation_id": part.tree.operation[segments.node],
                "hop_to_id": segments.hop,
                "stage_id": stage,
                "awaited": segments.awaited,
                "while_running": np.where(running >= 0, part.span_no[running], -1).astype(np.int32),
            }
        ),
    )


def _insert_stage_time(connection: duckdb.DuckDBPyConnection, part: Part, first_request: int) -> None:
    request, stage = np.nonzero((part.stage_spans > 0) | (part.stage_ns > 0))
    insert(
        connection,
        "data.stage_time",
        pa.table(
            {
                "request_no": (request + first_request).astype(np.int32),
                "stage_id": stage.astype(np.int16),
                "stage_ns": part.stage_ns[request, stage],
                "busy_ns": part.busy_ns[request, stage],
                "span_count": part.stage_spans[request, stage].astype(np.int32),
            }
        ),
    )


def _failed_calls(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> I32:
    """The spans of operations that may be inference and that failed, ascending."""
    operations = [number for number, decided in enumerate(catalogue.decisions) if decided.stage == "inference"]
    rows = connection.sql(
        "SELECT span_no FROM data.spans WHERE status_code = 'ERROR' AND list_contains($operations, operation_id) ORDER BY span_no",
        params={"operations": operations},
    ).to_arrow_table()
    return numbers(rows["span_no"])


def _insert_calls(
    connection: duckdb.DuckDBPyConnection,
    part: Part,
    inference: Inference,
    times: CallTimes,
    answers: Bool,
    catalogue: Catalogue,
    failed: I32,
    first_request: int,
) -> pa.Table:
    """Insert the part's model calls, and the parts of its requests' time in inference; `answers` are the nodes that may be one.

    Returns the rows of the calls, whose request_no counts from 0 within the part.
    """
    tree = part.tree
    calls = np.flatnonzero(inference.counts).astype(np.int32)
    said = Said(connection, tree, part.span_no, inference, times, calls)
    has_failed = np.isin(part.span_no, failed)
    found = {
        "data.model_calls": call_rows(
            tree, part.span_no, part.request_of, inference, times, part.segments, part.segment_stage, catalogue, has_failed,
            calls, said, answers,
        ),
        "data.stage_parts": part_rows(tree, inference, times, part.segments, part.segment_stage, catalogue, calls, said),
    }  # fmt: skip
    for relation, rows in found.items() if len(calls) else ():
        numbered = pa.array(rows["request_no"].to_numpy() + np.int32(first_request))
        place = rows.schema.get_field_index("request_no")
        insert(connection, relation, rows.set_column(place, "request_no", numbered))
    return found["data.model_calls"]


def _note_warnings(tree: Tree, span_no: I32, requests: Requests, outcome: Derivation, missing: Bool) -> None:
    """The spans of each warning that only shows once the trees are built; `missing` are operations."""
    entries = requests.entry
    orphan = tree.parent == ORPHAN
    orphan[entries] = False  # the entry of a trace whose caller is outside the dump is not an orphan
    outcome.note("orphan_span", span_no[orphan])
    outcome.note("clock_skew", span_no[tree.skew != 0])
    recorded = ~missing[tree.operation]
    for code, flag in (("no_end", NO_END_FLAG), ("negative_duration", NEGATIVE_DURATION), ("clipped", CLIPPED)):
        outcome.note(code, span_no[((tree.problem & flag) != 0) & recorded])
    outcome.note("no_root", span_no[entries[(tree.parent[entries] == ORPHAN) | ~recorded[entries]]])
