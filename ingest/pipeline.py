"""From dump files to a published dataset: read, number, store, derive, publish."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from analysis.operations import Catalogue, catalogue_of
from ingest.derive import Derivation, derive, insert
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
    """What was read and stored. `files` are the dumps just read; spans, traces and requests are of the whole dataset."""

    dataset: Path
    spans: int
    traces: int
    requests: int
    files: list[FileReport]

    def as_dict(self) -> dict[str, Any]:
        """The JSON of `overbudget ingest --json` (CONTRACT)."""
        files = [{**asdict(file), "warnings": [asdict(w) for w in file.warnings.values()]} for file in self.files]
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
