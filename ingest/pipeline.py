"""From dump files to a published dataset: read, number, store, derive, publish."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from analysis.operations import catalogue_of
from ingest.derive import derive, insert
from ingest.dump import read_dump
from ingest.prefetch import prefetch
from ingest.report import FileReport
from ingest.source import expand
from ingest.writer import Writer
from store.dataset import build, open_dataset
from store.errors import OverbudgetError


@dataclass(frozen=True)
class Progress:
    """How far it has come, for a progress bar."""

    source: str
    bytes_read: int  # of all dumps, as on disk
    bytes_total: int | None  # None where a dump is a stream of unknown length
    spans: int  # of all dumps
    phase: str = "reading"  # then "deriving"


@dataclass(frozen=True)
class IngestResult:
    """What was read and stored; counts are of the dumps just read, spans, traces and requests of the whole dataset."""

    dataset: Path
    spans: int
    traces: int
    requests: int
    files: list[FileReport]

    def as_dict(self) -> dict[str, Any]:
        """The JSON of `overbudget ingest --json` (CONTRACT)."""
        files = [{**asdict(file), "warnings": [asdict(oddity) for oddity in file.warnings.values()]} for file in self.files]
        merged: dict[str, dict[str, Any]] = {}
        for oddity in (oddity for file in files for oddity in file["warnings"]):
            entry = merged.setdefault(oddity["code"], {**oddity, "count": 0})
            entry["count"] += oddity["count"]
        return {
            "dataset": str(self.dataset),
            "spans": self.spans,
            "traces": self.traces,
            "requests": self.requests,
            "duplicates": sum(file.duplicates for file in self.files),
            "rejected": sum(file.rejected for file in self.files),
            "warnings": list(merged.values()),
            "files": files,
        }


def ingest(
    dumps: Sequence[str | Path],
    to: Path | str,
    append: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> IngestResult:
    """Read every dump in `dumps` (files, folders, globs, "-") into the dataset `to`, replacing or extending it.

    The dataset is published only when all of it is complete; whatever goes wrong, an older one stays as it was.

    Errors: OverbudgetError where nothing readable is in the dumps, or `to` cannot be written.
    """
    to = Path(to)
    files = expand([str(dump) for dump in dumps])
    older = to if append and to.exists() else None
    if older:
        open_dataset(older).close()
    with build(to, start_from=older) as connection:
        connection.execute("BEGIN")
        writer = Writer(connection, progress or (lambda _: None), files)
        reports = [writer.add(file) for file in files]
        if writer.spans_in_dataset == 0:
            raise OverbudgetError(_nothing_kept(reports))
        traces = writer.finish(reports)
        connection.execute("COMMIT")
        spans, requests = connection.execute("SELECT (SELECT count(*) FROM data.spans), (SELECT count(*) FROM requests)").fetchall()[0]
    return IngestResult(to, spans, traces, requests, reports)
