"""Whole traces, a partition at a time, through the kernels: trees, requests, critical paths, stages."""

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from overbudget.ingest.derive.adopted_tools import Adopted
from overbudget.ingest.derive.requests import shape_texts
from overbudget.ingest.files.prefetch import prefetch
from overbudget.kernels.columns import (
    I32,
    I64,
    NO_END,
    Duplicates,
    Requests,
    Segments,
    SpanColumns,
    Tree,
)
from overbudget.kernels.content_hash import one_chunk
from overbudget.kernels.critical_path import critical_path
from overbudget.kernels.hex_ids import parse_ids
from overbudget.kernels.span_tree import build_tree, find_requests
from overbudget.stages.assign import stage_of_nodes, stage_times
from overbudget.stages.operation_table import Catalogue
from overbudget.stages.server_queue import Reported, reported_waits, stage_segments
from overbudget.stages.waits_for_person import USER, Waits, waits_among, waits_for_person

SPANS_PER_PARTITION = 250_000


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


def computed_parts(
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
