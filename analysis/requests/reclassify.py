"""Stages, and with `[request] match` requests, under the rules of a budget file instead of the stored ones.

Trees are not built again: data.tree has them as the kernels need them. Operations are classified again, and each span
follows its operation (see stages.rule_evidence for rules about attributes that operations do not record).
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from overbudget.analysis.budget.model import Budget
from overbudget.analysis.requests.path import PathTable, load_places
from overbudget.analysis.requests.siblings import equal_siblings
from overbudget.analysis.requests.stored import read_stored, siblings_grouped
from overbudget.analysis.requests.table import I16, I32, I64, UNKNOWN, Bool, RequestTable
from overbudget.kernels.arrow import Coded, coded, flags, numbers, row_of
from overbudget.kernels.columns import Requests, Segments, Tree
from overbudget.kernels.critical_path import critical_path
from overbudget.kernels.path_items import without_background
from overbudget.kernels.span_tree import find_requests
from overbudget.stages.answers import call_at_or_above, first_tokens
from overbudget.stages.assign import stage_of_nodes
from overbudget.stages.classify import classify
from overbudget.stages.entry_spans import ENTRY, ENVIRONMENT, FAILED, VERSION
from overbudget.stages.hop_stages import with_callees_stage
from overbudget.stages.operation_table import Catalogue, catalogue_of
from overbudget.stages.rule_evidence import Split, ask_spans, split_operations
from overbudget.stages.rules import Rule
from overbudget.stages.server_queue import QUEUE, reported_waits, stage_segments
from overbudget.stages.waits_for_person import USER, Waits, waits_among, waits_for_person
from overbudget.store.span_tree import load_tree


class Ruled(NamedTuple):
    """The stored trees with their operations classified by a budget's rules."""

    tree: Tree
    stored_request_of: I32
    operations: pa.Table
    split: Split
    catalogue: Catalogue


def ruled_tree(connection: duckdb.DuckDBPyConnection, budget: Budget) -> Ruled:
    """Every span of the dataset in its tree, its operation classified by the budget's rules."""
    tree, stored_request_of = load_tree(connection)
    operations = connection.sql(
        "SELECT operation_id, service_name, scope_name, name, kind, keys FROM operations ORDER BY operation_id"
    ).to_arrow_table()
    recorded = ask_spans(connection, (*budget.rules, *budget.request_match, *budget.background))
    of_node = row_of(numbers(operations["operation_id"]), tree.operation)
    split = split_operations(of_node, tree.row, recorded)
    operations = operations.take(pa.array(split.original))
    catalogue = catalogue_of(operations, decisions=classify(operations, budget.rules, split.evidence))
    return Ruled(tree._replace(operation=split.operation), stored_request_of, operations, split, catalogue)


def apply_rules(connection: duckdb.DuckDBPyConnection, budget: Budget) -> RequestTable:
    """Every request of the dataset with its stage times under the budget's rules, and the critical path they come from."""
    tree, stored_request_of, operations, split, catalogue = ruled_tree(connection, budget)
    stored = read_stored(connection)
    walk_again = budget.request_match or budget.background
    if walk_again:
        tree = tree._replace(span_id=span_ids(connection, tree.row))
    requests, request_of = stored_requests(tree, stored_request_of, stored.complete), stored_request_of
    if budget.request_match:
        is_entry = _matched(operations, budget.request_match, split)[tree.operation]
        requests, request_of = find_requests(tree, catalogue.columns, is_entry)
    if budget.background:
        background = _matched(operations, budget.background, split)[tree.operation]
        tree, request_of = without_background(tree, request_of, requests.entry, background)
    stage_of = stage_of_nodes(tree, catalogue.columns, len(catalogue.stages) - 1)
    waits = reported_waits(connection).of_nodes(tree.row, tree, stage_of)
    siblings = equal_siblings(connection)
    if not walk_again:
        segments, places = _stored_segments(connection, tree.row), load_places(connection)
        found = staged(stored.request_no, segments, places, catalogue, stage_of, tree, stored_request_of, waits)
        return replace(
            stored,
            stages=found.stages,
            present=found.present,
            user_ns=found.stage_ns[:, USER].copy(),
            waits=found.asked,
            latency_ns=stored.duration_ns - found.stage_ns[:, USER],
            stage_ns=found.stage_ns,
            path=siblings_grouped(found.path, operations, siblings),
            stage_of_node=stage_of,
        )
    segments = critical_path(tree, requests, catalogue.columns, request_of)
    numbered = np.arange(len(requests.entry), dtype=np.int32)
    found = staged(numbered, segments, catalogue.places, catalogue, stage_of, tree, request_of, waits)
    found = replace(found, path=siblings_grouped(found.path, operations, siblings))
    parent = tree.parent if budget.background else None
    ttft_ns = _first_tokens(connection, tree, requests, segments)
    if not budget.request_match:
        return replace(
            stored,
            ttft_ns=ttft_ns,
            stages=found.stages,
            present=found.present,
            user_ns=found.stage_ns[:, USER].copy(),
            waits=found.asked,
            latency_ns=stored.duration_ns - found.stage_ns[:, USER],
            stage_ns=found.stage_ns,
            path=found.path,
            stage_of_node=stage_of,
            request_of_node=request_of,
            parent_of_node=parent,
        )
    table = _requests_at(connection, requests, found, tree, catalogue, stored_request_of, stored, stage_of, request_of)
    return replace(table, ttft_ns=ttft_ns, parent_of_node=parent, waits=found.asked)


def _first_tokens(connection: duckdb.DuckDBPyConnection, tree: Tree, requests: Requests, segments: Segments) -> I64:
    """From the start of each of these requests to the first token of its answer, -1 where none is recorded."""
    rows = connection.sql(
        """SELECT span_no, coalesce(first_token_ns, -1) AS first_ns, may_answer::TINYINT AS may_answer FROM data.model_calls"""
    ).to_arrow_table()
    node = row_of(tree.row, numbers(rows["span_no"]))
    there = node >= 0
    first_ns, answers = np.full(len(tree.row), -1, np.int64), np.zeros(len(tree.row), bool)
    first_ns[node[there]] = numbers(rows["first_ns"])[there]
    answers[node[there]] = flags(rows["may_answer"])[there]
    return first_tokens(tree, requests, segments, call_at_or_above(tree, node[there]), answers, first_ns)


def _matched(operations: pa.Table, rules: tuple[Rule, ...], split: Split) -> Bool:
    """bool[operations]: which ones a rule for requests or for the background matches."""
    return np.array([decision.stage == "" for decision in classify(operations, rules, split.evidence)], bool)


def stored_requests(tree: Tree, request_of: I32, complete: Bool) -> Requests:
    """The requests as they were stored, in the order of request_no, for the kernels."""
    inside = request_of >= 0
    above = np.where(tree.parent >= 0, request_of[tree.parent], np.int32(-1))
    entry = np.empty(len(complete), np.int32)
    top = np.flatnonzero(inside & (above != request_of))
    entry[request_of[top]] = top
    count = np.bincount(request_of[inside], minlength=len(entry)).astype(np.int32)
    return Requests(entry, tree.trace[entry], complete, count, np.zeros(len(entry), np.int32))


def _stored_segments(connection: duckdb.DuckDBPyConnection, span_of_node: I32) -> Segments:
    rows = connection.sql(
        """SELECT request_no, span_no, start_ns, end_ns, hop_to_id, awaited::TINYINT AS awaited, while_running
           FROM data.segments"""
    ).to_arrow_table()
    running = numbers(rows["while_running"])
    return Segments(
        request=numbers(rows["request_no"]),
        node=row_of(span_of_node, numbers(rows["span_no"])),
        start=numbers(rows["start_ns"]),
        end=numbers(rows["end_ns"]),
        hop=numbers(rows["hop_to_id"]),
        awaited=flags(rows["awaited"]),
        while_running=np.where(running >= 0, row_of(span_of_node, running), np.int32(-1)),
    )


def span_ids(connection: duckdb.DuckDBPyConnection, span_of_node: I32) -> npt.NDArray[np.uint64]:
    rows = connection.sql("SELECT span_no, ('0x' || span_id)::UBIGINT AS id FROM data.spans").to_arrow_table()
    return numbers(rows["id"])[row_of(numbers(rows["span_no"]), span_of_node)]


def _complete_traces(tree: Tree, stored_request_of: I32, stored: RequestTable) -> npt.NDArray[np.bool_]:
    """Per trace, whether its requests are complete: decided for the whole trace and stored with each of its requests.

    A trace without any stored request has none, because its entry span is missing.
    """
    complete = np.zeros(int(tree.trace[-1]) + 1 if len(tree.trace) else 0, np.bool_)
    row = row_of(stored.request_no, stored_request_of)
    inside = row >= 0
    complete[tree.trace[inside][stored.complete[row[inside]]]] = True
    return complete


@dataclass(frozen=True)
class Staged:
    """The columns of a RequestTable that depend on stages."""

    stages: tuple[str, ...]
    present: tuple[bool, ...]
    stage_ns: I64
    path: PathTable
    asked: Waits


def staged(
    request_no: I32,
    segments: Segments,
    places: tuple[str, ...],
    catalogue: Catalogue,
    stage_of: I16,
    tree: Tree,
    request_of: I32,
    waits: I64,
) -> Staged:
    """The stage times that the `segments` of the requests `request_no` add up to, and the segments themselves."""
    stages = len(catalogue.stages)
    segments, stage = stage_segments(segments, tree, stage_of, waits)
    segments, stage = waits_for_person(segments, stage, tree, stage_of, request_of, stages - 1)
    stage = with_callees_stage(tree, catalogue.columns, segments, stage, stage_of, stages)
    duration_ns: I64 = segments.end - segments.start
    cell = row_of(request_no, segments.request).astype(np.int64) * stages + stage
    # sums of ns below 2**53 (104 days) are exact as floats
    stage_ns = np.bincount(cell, duration_ns, minlength=len(request_no) * stages).astype(np.int64)
    spans = np.bincount(stage_of[request_of >= 0], minlength=stages)
    spans[QUEUE] += np.count_nonzero(waits[request_of >= 0])
    path = PathTable(
        request_no=segments.request,
        span_no=tree.row[segments.node],
        operation=tree.operation[segments.node],
        hop=segments.hop,
        stage=stage,
        duration_ns=duration_ns,
        awaited=segments.awaited | (segments.while_running >= 0),
        service=Coded(catalogue.columns.service, catalogue.services),
        name=Coded(catalogue.name_codes, catalogue.names),
        places=places,
    )
    asked = waits_among(segments, stage)
    return Staged(
        catalogue.stages,
        tuple((spans > 0).tolist()),
        stage_ns.reshape(len(request_no), stages),
        path,
        asked._replace(request=row_of(request_no, asked.request)),
    )


@dataclass(frozen=True)
class _Entries:
    """What entry spans record."""

    status: Coded
    version: Coded
    environment: Coded
    failed: Bool
    open: Bool
    missing: Bool


def _entries(connection: duckdb.DuckDBPyConnection, span_no: I32) -> _Entries:
    """What the spans `span_no` record, in their order."""
    connection.register("entry_spans", pa.table({"span_no": span_no}))
    rows = connection.sql(
        f"""SELECT s.span_no, s.status_code, coalesce({VERSION}, '') AS version, coalesce({ENVIRONMENT}, '') AS environment,
                {FAILED}::TINYINT AS failed, ({ENTRY} = 'open')::TINYINT AS open, ({ENTRY} = 'missing')::TINYINT AS missing
            FROM data.spans s JOIN operations o USING (operation_id) JOIN data.resources r USING (resource_id) JOIN entry_spans USING (span_no)"""
    ).to_arrow_table()
    connection.unregister("entry_spans")
    order = row_of(numbers(rows["span_no"]), span_no)
    return _Entries(
        coded(rows["status_code"]).take(order),
        coded(rows["version"], none="").take(order),
        coded(rows["environment"], none="").take(order),
        flags(rows["failed"])[order],
        flags(rows["open"])[order],
        flags(rows["missing"])[order],
    )


def _requests_at(
    connection: duckdb.DuckDBPyConnection,
    requests: Requests,
    found: Staged,
    tree: Tree,
    catalogue: Catalogue,
    stored_request_of: I32,
    stored: RequestTable,
    stage_of: I16,
    request_of: I32,
) -> RequestTable:
    """The requests that the budget's `[request] match` names.

    Their model and score are those of the stored request that the entry span is part of.
    """
    entry = requests.entry
    operation, entries = tree.operation[entry], _entries(connection, tree.row[entry])
    around = row_of(stored.request_no, stored_request_of[entry])
    duration_ns = tree.end[entry] - tree.start[entry]

    def said(values: npt.NDArray[Any], nothing: float) -> npt.NDArray[Any]:
        return np.append(values, np.array([nothing], values.dtype))[around]

    return RequestTable(
        request_no=np.arange(len(entry), dtype=np.int32),
        start_ns=tree.start[entry],
        duration_ns=duration_ns,
        user_ns=found.stage_ns[:, USER].copy(),
        latency_ns=duration_ns - found.stage_ns[:, USER],
        complete=_complete_traces(tree, stored_request_of, stored)[requests.trace],
        open=entries.open,
        missing=entries.missing,
        failed=entries.failed,
        weight=said(stored.weight, 1),
        route=Coded(catalogue.name_codes[operation], catalogue.names),
        service=Coded(catalogue.columns.service[operation], catalogue.services),
        model=Coded(said(stored.model.codes, -1), stored.model.names),
        status=entries.status,
        version=entries.version,
        environment=entries.environment,
        score=said(stored.score, np.nan),
        scored=said(stored.scored, False),
        good=said(stored.good, UNKNOWN),
        ttft_ns=np.full(len(entry), -1, np.int64),
        stages=found.stages,
        present=found.present,
        stage_ns=found.stage_ns,
        path=found.path,
        request_of_node=request_of,
        stage_of_node=stage_of,
        entry_span_no=tree.row[entry],
    )
