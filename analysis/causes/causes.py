"""How much of the critical paths of some requests each operation took."""

from dataclasses import dataclass

import duckdb
import numpy as np

from overbudget.analysis.common.bands import F64, Band
from overbudget.analysis.requests.path import PathTable
from overbudget.analysis.requests.stored import load_path
from overbudget.analysis.requests.table import I32, I64, Bool, RequestTable
from overbudget.kernels.arrow import row_of


@dataclass(frozen=True)
class Causes:
    """What time is attributed to: within one stage, the self time, or the hops to one other service, of the operations of
    one service and name.

    Cause j is described by `stage[j]` (index into the request table's stages), `service[j]` and `name[j]` (into `services`
    and `names`) and `hop[j]` (into `places`, -1 for self time). The segments of request row i of the table that the causes
    were found for are `first[i]:first[i + 1]`; segment s belongs to cause `of_segment[s]`, and unless it is `awaited`
    nothing shows that the request waited for it.
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
    awaited: Bool

    def mean_ns(self, band: Band, awaited: bool = False) -> F64:
        """float64[causes]: the band's weighted mean of each cause's time, or of the part that was certainly `awaited`.

        `band.rows` are rows of the same table.
        """
        counts = self.first[band.rows + 1] - self.first[band.rows]
        segments = np.repeat(self.first[band.rows] - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        weights = np.repeat(band.weights, counts) * self.duration_ns[segments]
        if awaited:
            weights = weights * self.awaited[segments]
        return np.bincount(self.of_segment[segments], weights, minlength=len(self.stage)).astype(np.float64)


def find_causes(path: PathTable, table: RequestTable) -> Causes:
    """The causes on the critical paths of the requests in `table`.

    Operations that differ only in scope, kind or attributes are one cause, because they read alike.
    """
    row = row_of(table.request_no, path.request_no)
    kept = np.flatnonzero(row >= 0)
    if len(kept) < len(row) or (np.diff(row) < 0).any():
        kept = kept[np.argsort(row[kept], kind="stable")]
        row, operation, hop, stage = row[kept], path.operation[kept], path.hop[kept], path.stage[kept]
        duration_ns, awaited = path.duration_ns[kept], path.awaited[kept]
    else:
        operation, hop, stage, duration_ns = path.operation, path.hop, path.stage, path.duration_ns
        awaited = path.awaited
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
        awaited=awaited,
    )


def _number(key: I64, space: int) -> tuple[I64, I32]:
    """The distinct keys, ascending, and each key's index among them; without sorting where `space` is small."""
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
    """Where a request's time goes on average: (stage, service, operation or its wait for a service, mean ns), sorted."""
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
