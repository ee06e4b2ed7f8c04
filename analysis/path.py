"""Critical paths as columns, for adding up which operation took how much of the requests at hand."""

from dataclasses import dataclass

import duckdb
import numpy as np

from analysis.columns import numbers
from analysis.percentiles import F64, Band
from analysis.requests import I16, I32, I64, Coded, RequestTable, coded, row_of


@dataclass(frozen=True)
class PathTable:
    """Critical-path segments by column, s rows.

    `operation` numbers the rows of `service` and `name`, which say what an operation is called; `hop` is a place in
    `places`, or -1 where the time is the span's own; `stage` a place in the request table's `stages`.
    """

    request_no: I32
    operation: I32
    hop: I32
    stage: I16
    duration_ns: I64
    service: Coded
    name: Coded
    places: tuple[str, ...]


@dataclass(frozen=True)
class Causes:
    """What time can be blamed on: within one stage, the own time, or the hops to one place, of the operations of one
    service and name.

    Cause j is described by `stage[j]` (place in the request table's stages), `service[j]` and `name[j]` (places in
    `services` and `names`) and `hop[j]` (place in `places`, -1 for own time). The segments of request row i of the
    table the causes were found for are `first[i]:first[i + 1]`; segment s belongs to cause `of_segment[s]`.
    """

    stage: I64
    service: I64
    name: I64
    hop: I64
    services: tuple[str, ...]
    names: tuple[str, ...]
    places: tuple[str, ...]
    first: I64
    of_segment: I32
    duration_ns: I64

    def mean_ns(self, band: Band) -> F64:
        """float64[causes]: the band's weighted mean of each cause's time. `band.rows` are rows of the same table."""
        counts = self.first[band.rows + 1] - self.first[band.rows]
        segments = np.repeat(self.first[band.rows] - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        weights = np.repeat(band.weights, counts) * self.duration_ns[segments]
        return np.bincount(self.of_segment[segments], weights, minlength=len(self.stage)).astype(np.float64)


def load_path(connection: duckdb.DuckDBPyConnection, table: RequestTable) -> PathTable:
    """The critical paths of a dataset, staged as in `table`."""
    if table.path is not None:
        return table.path
    rows = connection.sql(
        "SELECT request_no, operation_id, hop_to_id, stage_id, end_ns - start_ns AS duration_ns FROM data.segments"
    ).to_arrow_table()
    operations = connection.sql(
        "SELECT operation_id, service_name, name FROM operations ORDER BY operation_id"
    ).to_arrow_table()
    return PathTable(
        request_no=numbers(rows["request_no"]),
        operation=row_of(numbers(operations["operation_id"]), numbers(rows["operation_id"])),
        hop=numbers(rows["hop_to_id"]),
        stage=numbers(rows["stage_id"]),
        duration_ns=numbers(rows["duration_ns"]),
        service=coded(operations["service_name"]),
        name=coded(operations["name"]),
        places=load_places(connection),
    )


def load_places(connection: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """The names behind `hop`."""
    return tuple(name for (name,) in connection.sql("SELECT place FROM data.places ORDER BY place_id").fetchall())


def find_causes(path: PathTable, table: RequestTable) -> Causes:
    """The causes on the critical paths of the requests in `table`.

    Operations that differ only in scope, kind or attributes are told as one, because they read as one.
    """
    row = row_of(table.request_no, path.request_no)
    kept = np.flatnonzero(row >= 0)
    if len(kept) < len(row) or (np.diff(row) < 0).any():
        kept = kept[np.argsort(row[kept], kind="stable")]
        row, operation, hop, stage = row[kept], path.operation[kept], path.hop[kept], path.stage[kept]
        duration_ns = path.duration_ns[kept]
    else:
        operation, hop, stage, duration_ns = path.operation, path.hop, path.stage, path.duration_ns
    services, names = max(len(path.service.names), 1), max(len(path.name.names), 1)
    hops, stages = len(path.places) + 1, max(len(table.stages), 1)
    called = path.service.codes.astype(np.int64) * names + path.name.codes
    key = (called[operation] * hops + (hop + 1)) * stages + stage
    distinct, of_segment = _number(key, services * names * hops * stages)
    rest, stage_of = np.divmod(distinct, stages)
    rest, hop_of = np.divmod(rest, hops)
    service_of, name_of = np.divmod(rest, names)
    return Causes(
        stage=stage_of,
        service=service_of,
        name=name_of,
        hop=hop_of - 1,
        services=path.service.names,
        names=path.name.names,
        places=path.places,
        first=np.searchsorted(row, np.arange(len(table) + 1)),
        of_segment=of_segment,
        duration_ns=duration_ns,
    )


def _number(key: I64, space: int) -> tuple[I64, I32]:
    """The distinct keys, ascending, and which of them each key is; without sorting where `space` is small."""
    if space > 20_000_000:
        distinct, inverse = np.unique(key, return_inverse=True)
        return distinct, inverse.astype(np.int32)
    seen = np.zeros(space, bool)
    seen[key] = True
    found = np.flatnonzero(seen).astype(np.int64)
    number = np.zeros(space, np.int32)
    number[found] = np.arange(len(found), dtype=np.int32)
    return found, number[key]


def aggregated(connection: duckdb.DuckDBPyConnection, table: RequestTable) -> list[tuple[str, str, str, float]]:
    """Where a request's time goes on average: (stage, service, operation or its wait for a place, mean ns), in that order."""
    if len(table) == 0:
        return []
    causes = find_causes(load_path(connection, table), table)
    held = slice(int(causes.first[0]), int(causes.first[-1]))
    total = np.bincount(
        causes.of_segment[held], causes.duration_ns[held].astype(np.float64), minlength=len(causes.stage)
    )
    found = []
    for cause in np.flatnonzero(total).tolist():
        hop = f" → {causes.places[causes.hop[cause]]}" if causes.hop[cause] >= 0 else ""
        name = f"{causes.names[causes.name[cause]]}{hop}"
        service = causes.services[causes.service[cause]]
        found.append((table.stages[causes.stage[cause]], service, name, float(total[cause]) / len(table)))
    return sorted(found)
