"""Real faults, if there is a folder of them: `faults.json`, `normal.jsonl.gz` and one dump for each fault.

`faults.json` is a list of {"file": name without suffix, "service": the faulty one, "inject_type": what was done}. The
project has no such folder and needs none.
"""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from overbudget.analysis.compare.compare import Side, compare
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset


@dataclass(frozen=True)
class RealFault:
    """What compare says of a fault: the verdict, and at which place (from 1) the faulty service is; 0 where it is missing."""

    name: str
    kind: str
    service: str
    verdict: str
    place: int
    first: str


def real_faults(folder: Path) -> Iterator[RealFault]:
    """Every fault of the folder, compared with its normal window."""
    faults = json.loads((folder / "faults.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="overbudget-real-") as name:
        base = _read(folder / "normal.jsonl.gz", Path(name) / "normal.duckdb")
        for number, fault in enumerate(faults):
            dump = next(folder.glob(f"{fault['file']}.json*"))
            found = compare(Side(base), Side(_read(dump, Path(name) / f"{number}.duckdb")))
            services = [one.service_name for one in found.services]
            place = services.index(fault["service"]) + 1 if fault["service"] in services else 0
            first = services[0] if services else ""
            yield RealFault(fault["file"], fault["inject_type"], fault["service"], str(found.verdict), place, first)


def _read(dump: Path, to: Path) -> duckdb.DuckDBPyConnection:
    ingest([dump], to)
    return open_dataset(to)
