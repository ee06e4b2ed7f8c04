"""From stored spans to everything computed from them: trees, requests, critical paths, stage times.

Works on whole traces in partitions, so that memory stays bounded however large the dataset is.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from overbudget.ingest.derive.adopted_tools import Adopted, adopted_tools
from overbudget.ingest.derive.call_times import Inference, call_times
from overbudget.ingest.derive.hop_stages import HopStages
from overbudget.ingest.derive.inference import inference_of
from overbudget.ingest.derive.model_calls import Said, call_rows
from overbudget.ingest.derive.requests import RequestRows, fold_facts, shape_texts
from overbudget.ingest.derive.stage_parts import part_rows
from overbudget.ingest.files.prefetch import prefetch
from overbudget.kernels.arrow import numbers
from overbudget.kernels.columns import (
    CLIPPED,
    I16,
    I32,
    I64,
    NEGATIVE_DURATION,
    NO_END,
    NO_END_FLAG,
    ORPHAN,
    Bool,
    Duplicates,
    OperationColumns,
    Requests,
    Segments,
    SpanColumns,
    Tree,
)
from overbudget.kernels.content_hash import one_chunk
from overbudget.kernels.critical_path import critical_path
from overbudget.kernels.hex_ids import parse_ids
from overbudget.kernels.overlap import overlapping
from overbudget.kernels.span_tree import build_tree, find_requests
from overbudget.stages.assign import stage_of_nodes, stage_times
from overbudget.stages.operation_table import Catalogue
from overbudget.stages.server_queue import Reported, reported_waits, stage_segments
from overbudget.stages.waits_for_person import USER, Waits, waits_among, waits_for_person
from overbudget.store.relations import schema_sql
from overbudget.store.tables import insert, passing

SPANS_PER_PARTITION = 250_000
DERIVED = [
    *("data.stages", "data.places", "data.tree", "data.skew", "requests", "data.segments", "data.stage_time"),
    *("data.stage_parts", "data.model_calls"),
]


@dataclass
class Derivation:
    """What came of it: counts, and the spans (by span_no) of each warning code."""

    traces: int = 0
    requests: int = 0
    spans_of_operation: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    warnings: dict[str, list[I32]] = field(default_factory=dict)

    def note(self, code: str, span_nos: I32) -> None:
        if len(span_nos):
            self.warnings.setdefault(code, []).append(span_nos)


def derive(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue, adjust_clocks: bool = True) -> Derivation:
    """As `_derive`; spans that set something up are requests only where the dataset holds no other request."""
    outcome = _derive(connection, catalogue, adjust_clocks)
    if outcome.requests or not catalogue.setup.any():
        return outcome
    again = _derive(connection, replace(catalogue, setup=np.zeros_like(catalogue.setup)), adjust_clocks)
    again.warnings.update({code: found for code, found in outcome.warnings.items() if code not in again.warnings})
    return again


def _derive(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue, adjust_clocks: bool) -> Derivation:
    """Fill the relations in DERIVED from data.spans and the temporary table `facts` (see ingest.write.facts).

    Spans that are stored twice are removed: the one that ended last stays. `catalogue` holds the operations with
    their stages. Clock skew between services is taken out unless `adjust_clocks` is off. Everything happens in the
    caller's transaction; the spans must have been committed before it.
    """
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
    for part in _computed(connection, catalogue, adopted, adjust_clocks):
        tree, requests, span_no = part.tree, part.requests, part.span_no
        _remove_duplicates(connection, part, outcome)
        _insert_nodes(connection, part, nodes, outcome.traces, rows.count)
        _insert_path(
            connection, part, rows.count, hop_stages.yet(part.tree, part.segments, part.segment_stage, part.stage_of)
        )
        _insert_stage_time(connection, part, rows.count)
        _note_warnings(tree, span_no, requests, outcome, catalogue.missing)
        inference = inference_of(connection, tree, span_no, part.request_of, catalogue, part.stage_of, part.waits)
        facts = fold_facts(connection, tree, span_no, part.request_of, inference)
        if inference.own.any():
            _insert_calls(connection, part, inference, catalogue, failed, rows.count)
        rows.add(requests, tree, span_no, part.shapes, part.person, facts)
        outcome.spans_of_operation += np.bincount(tree.operation, minlength=catalogue.count)
        nodes += len(tree.row)
        outcome.traces += int(tree.trace[-1]) + 1 if len(tree.trace) else 0
    rows.insert(connection)
    hop_stages.settle(connection)
    outcome.requests = rows.count
    return outcome


@dataclass(frozen=True)
class Part:
    """What the kernels found in some whole traces."""

    row_span_no: I32  # the span of each row of the kernels' input
    duplicates: Duplicates
    tree: Tree
    span_no: I32  # the span of each node of the tree
    requests: Requests
    request_of: I32
    segments: Segments
    segment_stage: npt.NDArray[np.int16]
    stage_of: npt.NDArray[np.int16]
    stage_ns: npt.NDArray[np.int64]
    busy_ns: npt.NDArray[np.int64]
    stage_spans: I32
    shapes: pa.Array
    person: Waits  # for a person
    waits: I64  # of each node in its server's queue, before it begins


def _compute(columns: SpanColumns, span_no: I32, catalogue: Catalogue, reported: Reported, adjust_clocks: bool) -> Part:
    """Run the kernels."""
    tree, duplicates = build_tree(columns, catalogue.columns, adjust_clocks)
    requests, request_of = find_requests(tree, catalogue.columns, setup=catalogue.setup[tree.operation])
    segments = critical_path(tree, requests, catalogue.columns, request_of)
    stage_of = stage_of_nodes(tree, catalogue.columns, len(catalogue.stages) - 1)
    waits = reported.of_nodes(span_no[tree.row], tree, stage_of)
    unattributed = len(catalogue.stages) - 1
    stage_ns, busy_ns, stage_spans = stage_times(
        tree, requests, request_of, segments, stage_of, len(catalogue.stages), waits
    )
    segments, segment_stage = stage_segments(segments, tree, stage_of, waits)
    segments, segment_stage = waits_for_person(segments, segment_stage, tree, stage_of, request_of, unattributed)
    person = waits_among(segments, segment_stage)
    waited = person.per_request(len(requests.entry))
    stage_ns[:, unattributed] += stage_ns[:, USER] - waited
    stage_ns[:, USER] = waited
    shapes = shape_texts(tree, requests, catalogue)
    return Part(
        span_no, duplicates, tree, span_no[tree.row], requests, request_of, segments, segment_stage, stage_of,
        stage_ns, busy_ns, stage_spans, shapes, person, waits,
    )  # fmt: skip


def _computed(
    connection: duckdb.DuckDBPyConnection, catalogue: Catalogue, adopted: Adopted, adjust_clocks: bool
) -> Iterator[Part]:
    """The parts, each selected and computed while the one before is in the caller's hands.

    They are read over a cursor of their own, which sees what is committed: parts share no trace, so that what is done to
    one changes no other.
    """
    reported = reported_waits(connection)
    selected = prefetch(_partitions(connection.cursor()))
    computed = prefetch(
        _compute(adopted.below_their_calls(columns, span_no), span_no, catalogue, reported, adjust_clocks)
        for columns, span_no in selected
    )
    try:
        yield from computed
    finally:
        selected.close()
        computed.close()


SPAN_COLUMNS = (
    f"span_no, trace_id, span_id, parent_span_id, start_ns, coalesce(end_ns, {NO_END}) AS end_ns, operation_id"
)


def columns_of(spans: pa.Table) -> SpanColumns:
    """Kernel columns of the rows of SPAN_COLUMNS."""
    trace_ids = one_chunk(spans["trace_id"])
    return SpanColumns(
        parse_ids(trace_ids),
        parse_ids(trace_ids, 16),
        parse_ids(one_chunk(spans["span_id"])),
        parse_ids(one_chunk(spans["parent_span_id"])),
        one_chunk(spans["start_ns"]).to_numpy(),
        one_chunk(spans["end_ns"]).to_numpy(),
        one_chunk(spans["operation_id"]).to_numpy(),
    )


def _partitions(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[SpanColumns, I32]]:
    """Whole traces, about SPANS_PER_PARTITION spans at a time: kernel columns and the span_no of each row."""
    count = connection.execute("SELECT count(*) FROM data.spans").fetchall()[0][0]
    parts = -(-count // SPANS_PER_PARTITION)
    for part in range(parts):
        where = f"WHERE hash(trace_id) % {parts} = {part}" if parts > 1 else ""
        spans = connection.sql(f"SELECT {SPAN_COLUMNS} FROM data.spans {where}").to_arrow_table()
        yield columns_of(spans), one_chunk(spans["span_no"]).to_numpy()


def _remove_duplicates(connection: duckdb.DuckDBPyConnection, part: Part, outcome: Derivation) -> None:
    """Delete the spans that are stored already, and tell copies from spans that differ under the same ids."""
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
    catalogue: Catalogue,
    failed: I32,
    first_request: int,
) -> None:
    """The model calls of the part, and what its requests' time in inference is made of."""
    tree, times = part.tree, call_times(part.tree, inference)
    calls = np.flatnonzero(inference.counts).astype(np.int32)
    said = Said(connection, tree, part.span_no, inference, times, calls)
    has_failed = np.isin(part.span_no, failed)
    found = {
        "data.model_calls": call_rows(
            tree, part.span_no, part.request_of, inference, times, part.segments, part.segment_stage, catalogue, has_failed,
            calls, said,
        ),
        "data.stage_parts": part_rows(tree, inference, times, part.segments, part.segment_stage, catalogue, calls, said),
    }  # fmt: skip
    for relation, rows in found.items():
        numbered = pa.array(rows["request_no"].to_numpy() + np.int32(first_request))
        place = rows.schema.get_field_index("request_no")
        insert(connection, relation, rows.set_column(place, "request_no", numbered))


def _note_warnings(tree: Tree, span_no: I32, requests: Requests, outcome: Derivation, missing: Bool) -> None:
    """The spans of each warning that only shows once the trees are built; `missing` are operations."""
    entries = requests.entry
    orphan = tree.parent == ORPHAN
    orphan[entries] = False  # the entry of a trace whose caller is outside the dump is none
    outcome.note("orphan_span", span_no[orphan])
    outcome.note("clock_skew", span_no[tree.skew != 0])
    recorded = ~missing[tree.operation]
    for code, flag in (("no_end", NO_END_FLAG), ("negative_duration", NEGATIVE_DURATION), ("clipped", CLIPPED)):
        outcome.note(code, span_no[((tree.problem & flag) != 0) & recorded])
    outcome.note("no_root", span_no[entries[(tree.parent[entries] == ORPHAN) | ~recorded[entries]]])


_ONE_OPERATION = OperationColumns(
    *(np.zeros(1, kind) for kind in (np.int32, np.int8, np.int32, np.int16, bool, np.int16))
)


def warm_up() -> None:
    """Run every kernel once, on one span, so that loading them is over when they are needed."""
    one = np.ones(1, np.uint64)
    times = np.ones(1, np.int64)
    tree, _ = build_tree(SpanColumns(one, one, one, 0 * one, times, times + 1, np.zeros(1, np.int32)), _ONE_OPERATION)
    find_requests(tree, _ONE_OPERATION)
    warm_up_paths()


def warm_up_paths() -> None:
    """Run the kernels that follow the trees, on one span, without making a tree of it: about half of all."""
    no, one = np.zeros(1, np.int32), np.ones(1, np.int64)
    span_id = one.astype(np.uint64)
    tree = Tree(no, no, no - 1, one, one + 1, 0 * one, no, span_id, no.astype(np.uint8), no)
    requests = Requests(no, no, np.ones(1, bool), no + 1, no)
    segments = critical_path(tree, requests, _ONE_OPERATION, no)
    overlapping(one, one, one + 1, one, one, one + 1)
    stage_times(tree, requests, no, segments, stage_of_nodes(tree, _ONE_OPERATION, 1), 2)
