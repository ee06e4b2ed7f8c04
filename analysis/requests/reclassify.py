"""Stages, and with `[request] match` requests, by the rules of a budget file instead of those stored in the dataset.

Trees are not built anew: data.tree holds them as the kernels need them. Operations are classified again, and spans
count by their operation (see stages.rule_evidence for rules about attributes that operations do not record).
"""

from dataclasses import replace
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from overbudget.analysis.budget.model import Budget
from overbudget.analysis.requests.path import PathTable, load_places
from overbudget.analysis.requests.stored import read_stored
from overbudget.analysis.requests.table import I16, I32, I64, UNKNOWN, RequestTable
from overbudget.kernels.arrow import Coded, coded, numbers, row_of
from overbudget.kernels.columns import Segments, Tree
from overbudget.kernels.critical_path import critical_path
from overbudget.kernels.span_tree import find_requests
from overbudget.stages.assign import stage_of_nodes
from overbudget.stages.classify import classify
from overbudget.stages.operation_table import Catalogue, catalogue_of
from overbudget.stages.rule_evidence import ask_spans, split_operations
from overbudget.stages.server_queue import QUEUE, Reported, reported_waits, stage_segments
from overbudget.store.span_tree import load_tree


def apply_rules(connection: duckdb.DuckDBPyConnection, budget: Budget) -> RequestTable:
    """Every request of the dataset with its stage times by the budget's rules, and the critical path they come from."""
    tree, stored_request_of = load_tree(connection)
    operations = connection.sql(
        "SELECT operation_id, service_name, scope_name, name, kind, keys FROM operations ORDER BY operation_id"
    ).to_arrow_table()
    recorded = ask_spans(connection, (*budget.rules, *budget.request_match))
    of_node = row_of(numbers(operations["operation_id"]), tree.operation)
    split = split_operations(of_node, tree.row, recorded)
    operations = operations.take(pa.array(split.original))
    catalogue = catalogue_of(operations, decisions=classify(operations, budget.rules, split.evidence))
    tree = tree._replace(operation=split.operation)
    stage_of = stage_of_nodes(tree, catalogue.columns, len(catalogue.stages) - 1)
    stored = read_stored(connection)
    reported = reported_waits(connection)
    if not budget.request_match:
        segments = _stored_segments(connection, tree.row)
        places = load_places(connection)
        return _with_stages(stored, segments, catalogue, stage_of, tree, stored_request_of, places, reported)
    named = classify(operations, budget.request_match, split.evidence)
    is_entry = np.array([decision.stage == "" for decision in named], bool)[tree.operation]
    tree = tree._replace(span_id=_span_ids(connection, tree.row))
    requests, request_of = find_requests(tree, catalogue.columns, is_entry)
    segments = critical_path(tree, requests, catalogue.columns, request_of)
    complete = _complete_traces(tree, stored_request_of, stored)[requests.trace]
    table = _requests_at(connection, requests.entry, complete, tree, catalogue, stored_request_of, stored)
    return _with_stages(table, segments, catalogue, stage_of, tree, request_of, catalogue.places, reported)


def _stored_segments(connection: duckdb.DuckDBPyConnection, span_of_node: I32) -> Segments:
    rows = connection.sql("SELECT request_no, span_no, start_ns, end_ns, hop_to_id FROM data.segments").to_arrow_table()
    return Segments(
        request=numbers(rows["request_no"]),
        node=row_of(span_of_node, numbers(rows["span_no"])),
        start=numbers(rows["start_ns"]),
        end=numbers(rows["end_ns"]),
        hop=numbers(rows["hop_to_id"]),
    )


def _span_ids(connection: duckdb.DuckDBPyConnection, span_of_node: I32) -> npt.NDArray[np.uint64]:
    rows = connection.sql("SELECT span_no, ('0x' || span_id)::UBIGINT AS id FROM data.spans").to_arrow_table()
    return numbers(rows["id"])[row_of(numbers(rows["span_no"]), span_of_node)]


def _complete_traces(tree: Tree, stored_request_of: I32, stored: RequestTable) -> npt.NDArray[np.bool_]:
    """Per trace whether its requests are complete: it is told of a whole trace, and stored with each of its requests.

    A trace without any stored request has none because its entry span is missing.
    """
    complete = np.zeros(int(tree.trace[-1]) + 1 if len(tree.trace) else 0, np.bool_)
    row = row_of(stored.request_no, stored_request_of)
    inside = row >= 0
    complete[tree.trace[inside][stored.complete[row[inside]]]] = True
    return complete


def _requests_at(
    connection: duckdb.DuckDBPyConnection,
    entry: I32,
    complete: npt.NDArray[np.bool_],
    tree: Tree,
    catalogue: Catalogue,
    stored_request_of: I32,
    stored: RequestTable,
) -> RequestTable:
    """The requests that begin at the nodes `entry`, without stages yet.

    What a request says of itself (model, score) is that of the stored request its entry span is part of.
    """
    statuses = connection.sql("SELECT span_no, status_code FROM data.spans").to_arrow_table()
    status = coded(statuses["status_code"]).take(row_of(numbers(statuses["span_no"]), tree.row[entry]))
    operation = tree.operation[entry]
    around = row_of(stored.request_no, stored_request_of[entry])

    def said(values: npt.NDArray[Any], nothing: float) -> npt.NDArray[Any]:
        return np.append(values, np.array([nothing], values.dtype))[around]

    return RequestTable(
        request_no=np.arange(len(entry), dtype=np.int32),
        start_ns=tree.start[entry],
        latency_ns=tree.end[entry] - tree.start[entry],
        complete=complete,
        route=Coded(catalogue.name_codes[operation], catalogue.names),
        service=Coded(catalogue.columns.service[operation], catalogue.services),
        model=Coded(said(stored.model.codes, -1), stored.model.names),
        status=status,
        score=said(stored.score, np.nan),
        scored=said(stored.scored, False),
        good=said(stored.good, UNKNOWN),
        ttft_ns=said(stored.ttft_ns, -1),
        stages=(),
        present=(),
        stage_ns=np.zeros((len(entry), 0), np.int64),
        entry_span_no=tree.row[entry],
    )


def _with_stages(
    table: RequestTable,
    segments: Segments,
    catalogue: Catalogue,
    stage_of: I16,
    tree: Tree,
    request_of: I32,
    places: tuple[str, ...],
    reported: Reported,
) -> RequestTable:
    """`table` with the stage times that `segments` add up to, and with the segments themselves."""
    stages = len(catalogue.stages)
    waits = reported.of_nodes(tree.row, tree, stage_of)
    segments, stage = stage_segments(segments, tree, stage_of, waits)
    duration_ns: I64 = segments.end - segments.start
    cell = row_of(table.request_no, segments.request).astype(np.int64) * stages + stage
    # sums of ns below 2**53 (104 days) are exact as floats
    stage_ns = np.bincount(cell, duration_ns, minlength=len(table) * stages).astype(np.int64)
    spans = np.bincount(stage_of[request_of >= 0], minlength=stages)
    spans[QUEUE] += np.count_nonzero(waits[request_of >= 0])
    path = PathTable(
        request_no=segments.request,
        operation=tree.operation[segments.node],
        hop=segments.hop,
        stage=stage,
        duration_ns=duration_ns,
        service=Coded(catalogue.columns.service, catalogue.services),
        name=Coded(catalogue.name_codes, catalogue.names),
        places=places,
    )
    return replace(
        table,
        stages=catalogue.stages,
        present=tuple((spans > 0).tolist()),
        stage_ns=stage_ns.reshape(len(table), stages),
        path=path,
        request_of_node=request_of if table.entry_span_no is not None else None,
        stage_of_node=stage_of,
    )
