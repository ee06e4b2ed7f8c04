"""Critical paths as columns."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import duckdb
import numpy as np
import numpy.typing as npt

from overbudget.analysis.requests.siblings import EqualSiblings
from overbudget.kernels.arrow import Coded, coded_texts

I16 = npt.NDArray[np.int16]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class PathTable:
    """Critical-path segments by column, s rows.

    `operation` indexes the rows of `service` and `name`, the names of operations; `hop` indexes `places`, -1 where the
    time is the span's own; `stage` indexes the request table's `stages`. Where `awaited` is False the trace shows what ran
    then, not that the request waited for it; a span's self time while something ran past the request's end counts as
    awaited. `groups` are the names that are treated as one.
    """

    request_no: I32
    span_no: I32
    operation: I32
    hop: I32
    stage: I16
    duration_ns: I64
    awaited: npt.NDArray[np.bool_]
    service: Coded
    name: Coded
    places: tuple[str, ...]
    siblings: Mapping[int, EqualSiblings] = field(default_factory=dict)
    groups: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def members(self) -> dict[str, str]:
        """The group name of each service and place that differs from others of the group only in numbers."""
        return {member: group.place for group in self.siblings.values() for member in group.members}

    def renamed(self, groups: Mapping[tuple[str, str], str]) -> "PathTable":
        """The same with operations named by their group: `groups[service, name]`."""
        if not groups:
            return self
        names = [
            groups.get((self.service.names[service], self.name.names[name]), self.name.names[name])
            for service, name in zip(self.service.codes.tolist(), self.name.codes.tolist(), strict=True)
        ]
        return replace(self, name=coded_texts(names), groups=groups)


def load_places(connection: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """The names that `hop` indexes."""
    return tuple(name for (name,) in connection.sql("SELECT place FROM data.places ORDER BY place_id").fetchall())


def without_stage(path: PathTable, stage: int) -> PathTable:
    """The segments of all other stages."""
    kept = path.stage != stage
    if kept.all():
        return path
    names = ("request_no", "span_no", "operation", "hop", "stage", "duration_ns", "awaited")
    return replace(path, **{name: getattr(path, name)[kept] for name in names})
