"""Requests, and their critical paths, as they are stored in a dataset."""

from collections.abc import Mapping
from dataclasses import replace

import duckdb
import numpy as np
import pyarrow as pa

from overbudget.analysis.requests.path import PathTable, load_places, without_stage
from overbudget.analysis.requests.siblings import EqualSiblings, equal_siblings
from overbudget.analysis.requests.table import UNKNOWN, RequestTable
from overbudget.kernels.arrow import Coded, coded, flags, numbers, row_of
from overbudget.stages.names import ASKS_PERSON


def read_stored(connection: duckdb.DuckDBPyConnection) -> RequestTable:
    """Every request as it was stored, by the default rules."""
    rows = connection.sql(
        f"""SELECT request_no, start_ns, duration_ns, user_ns, latency_ns, complete::TINYINT AS complete,
               (entry = 'open')::TINYINT AS open, (entry = 'missing')::TINYINT AS missing, failed::TINYINT AS failed,
               weight, route, service_name, coalesce(model, '') AS model, coalesce(version, '') AS version,
               coalesce(environment, '') AS environment, status_code, coalesce(score, 'nan'::DOUBLE) AS score,
               (good IS NOT NULL OR score IS NOT NULL)::TINYINT AS scored, coalesce(good::TINYINT, {UNKNOWN}) AS good,
               coalesce(ttft_ns, -1) AS ttft_ns
           FROM requests ORDER BY request_no"""
    ).to_arrow_table()
    stages = tuple(name for (name,) in connection.execute("SELECT stage FROM data.stages ORDER BY stage_id").fetchall())
    times = connection.sql("SELECT request_no, stage_id, stage_ns, span_count FROM data.stage_time").to_arrow_table()
    request_no = numbers(rows["request_no"])
    stage = numbers(times["stage_id"])
    stage_ns = np.zeros((len(request_no), len(stages)), np.int64)
    stage_ns[row_of(request_no, numbers(times["request_no"])), stage] = numbers(times["stage_ns"])
    spans = np.bincount(stage, numbers(times["span_count"]), minlength=len(stages))
    return RequestTable(
        request_no=request_no,
        start_ns=numbers(rows["start_ns"]),
        duration_ns=numbers(rows["duration_ns"]),
        user_ns=numbers(rows["user_ns"]),
        latency_ns=numbers(rows["latency_ns"]),
        complete=flags(rows["complete"]),
        open=flags(rows["open"]),
        missing=flags(rows["missing"]),
        failed=flags(rows["failed"]),
        weight=numbers(rows["weight"]),
        route=coded(rows["route"]),
        service=coded(rows["service_name"]),
        model=coded(rows["model"], none=""),
        status=coded(rows["status_code"]),
        version=coded(rows["version"], none=""),
        environment=coded(rows["environment"], none=""),
        score=numbers(rows["score"]),
        scored=flags(rows["scored"]),
        good=numbers(rows["good"]),
        ttft_ns=numbers(rows["ttft_ns"]),
        stages=stages,
        present=tuple((spans > 0).tolist()),
        stage_ns=stage_ns,
    )


def load_path(connection: duckdb.DuckDBPyConnection, table: RequestTable) -> PathTable:
    """The critical paths of a dataset, with the stages of `table`, without waits for a person."""
    if table.path is not None:
        return table.path
    rows = connection.sql(
        """SELECT request_no, span_no, operation_id, hop_to_id, stage_id, end_ns - start_ns AS duration_ns,
               (awaited OR while_running >= 0)::TINYINT AS awaited FROM data.segments"""
    ).to_arrow_table()
    operations = connection.sql(
        "SELECT operation_id, service_name, name FROM operations ORDER BY operation_id"
    ).to_arrow_table()
    path = PathTable(
        request_no=numbers(rows["request_no"]),
        span_no=numbers(rows["span_no"]),
        operation=row_of(numbers(operations["operation_id"]), numbers(rows["operation_id"])),
        hop=numbers(rows["hop_to_id"]),
        stage=numbers(rows["stage_id"]),
        duration_ns=numbers(rows["duration_ns"]),
        awaited=flags(rows["awaited"]),
        service=coded(operations["service_name"]),
        name=coded(operations["name"]),
        places=load_places(connection),
    )
    path = without_stage(path, table.stages.index(ASKS_PERSON)) if ASKS_PERSON in table.stages else path
    return siblings_grouped(path, operations, equal_siblings(connection))


def siblings_grouped(path: PathTable, operations: pa.Table, siblings: Mapping[int, EqualSiblings]) -> PathTable:
    """The paths with one place for the hops of equal siblings, and one service for the services they call.

    `path.operation` indexes the rows of `operations`.
    """
    if not siblings:
        return path
    path = replace(path, siblings=siblings)
    members = path.members()
    places = tuple(dict.fromkeys([*path.places, *(group.place for group in siblings.values())]))
    ids = operations["operation_id"].to_pylist()
    group = np.array([places.index(siblings[number].place) if number in siblings else -1 for number in ids], np.int32)
    of_segment = group[path.operation]
    new_place = np.array([*(places.index(members.get(place, place)) for place in places), -1], np.int32)
    hop = np.where((path.hop >= 0) & (of_segment >= 0), of_segment, new_place[path.hop]).astype(np.int32)
    services = tuple(dict.fromkeys(members.get(name, name) for name in path.service.names))
    code = np.array([*(services.index(members.get(name, name)) for name in path.service.names), -1], np.int32)
    return replace(path, places=places, hop=hop, service=Coded(code[path.service.codes], services))
