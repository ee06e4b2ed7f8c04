"""The folder of datasets that the dashboard serves: their names, and the samples."""

import errno
import io
import json
import os
import re
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from overbudget.store.errors import OverbudgetError
from overbudget.store.lock import writing, writing_new

SAMPLES = Path(__file__).parents[2] / "sample_traces" / "dumps"
PATIENCE_S = 2.0  # how long a page waits for a dataset that is being written
FIRST_SAMPLE = "slow_database_tenant"
_SAFE = re.compile(r"[^A-Za-z0-9._-]+")
_SUFFIXES = re.compile(r"(\.(otlp|jsonl?|ndjson|binpb|pb|proto|gz|zst|zip|tar|tgz|txt))+$", re.IGNORECASE)


@dataclass(frozen=True)
class Sample:
    """A scenario of sample_traces with its story, dump and budget."""

    name: str
    title: str
    story: str
    dump: Path
    budget: str


@cache
def samples() -> tuple[Sample, ...]:
    """The samples that came with this version, the first to show first. They do not change while a server runs."""
    found = []
    for path in sorted(SAMPLES.glob("*.truth.json")):
        truth = json.loads(path.read_text(encoding="utf-8"))
        dump = SAMPLES / f"{truth['name']}.otlp.jsonl.gz"
        budget = (SAMPLES / truth["budget"]).read_text(encoding="utf-8")
        found.append(Sample(truth["name"], truth["title"], truth["story"], dump, budget))
    return tuple(sorted(found, key=lambda sample: sample.name != FIRST_SAMPLE))


class Workspace:
    """Datasets by name; a name is a file name without its ending, and never a path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.incoming = folder / "incoming"
        try:
            self.incoming.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            if not folder.is_dir():  # one that cannot be written is shown
                raise OverbudgetError(f"Cannot use {folder} as a workspace: {error.strerror or error}.") from error

    def names(self) -> list[str]:
        """Datasets, the newest first; samples last, in the order of their list."""
        order = {f"sample-{sample.name}": place for place, sample in enumerate(samples())}
        files = [path for path in self.folder.glob("*.duckdb") if not path.name.startswith(".")]
        ranked = sorted(files, key=lambda path: (order.get(path.stem, -1), -_modified(path), path.stem))
        return [path.stem for path in ranked]

    def path(self, name: str) -> Path:
        """Where the dataset `name` is. Errors: OverbudgetError where there is none."""
        path = self.folder / f"{self._stem(name)}.duckdb"
        if not path.is_file():
            raise OverbudgetError(
                f"There is no dataset {name!r} in this workspace. Choose another one, or drop a dump on the Datasets page."
            )
        return path

    def budget(self, name: str) -> str:
        """The budget file kept beside a dataset (`NAME.budget.toml`), else its sample's; "" without one.

        Errors: OverbudgetError where the file cannot be read.
        """
        from overbudget.analysis.budget.file import read_text

        beside = self._beside(name)
        if beside.is_file():
            return read_text(beside)
        sample = sample_of(name)
        return sample.budget if sample else ""

    def _stem(self, name: str) -> str:
        """The file name of a dataset: as it is where somebody put it here, and otherwise one that is safe."""
        plain = name == Path(name).name and not name.startswith(".")
        return name if plain and os.path.isfile(self.folder / f"{name}.duckdb") else safe_name(name)

    def _beside(self, name: str) -> Path:
        return self.folder / f"{self._stem(name)}.budget.toml"

    def path_for(self, dump_name: str) -> Path:
        """Where a dataset made of the dump goes, unless there is one of that name."""
        stem = safe_name(_SUFFIXES.sub("", dump_name))
        return self.folder / f"{stem if stem.strip('_.-') else 'dump'}.duckdb"

    def rename(self, name: str, wanted: str) -> str:
        """Rename a dataset; returns its new name.

        Errors: OverbudgetError where that is taken, or not a name, or either is being written.
        """
        path, new = self.path(name), safe_name(wanted)
        if not new:
            raise OverbudgetError("A dataset needs a name of letters, digits, dots, dashes or underscores.")
        to = self.folder / f"{new}.duckdb"
        with writing(path, PATIENCE_S), writing(to, PATIENCE_S):
            if to.exists():
                raise OverbudgetError(f"There is a dataset {new} already; choose another name.")
            beside = self._beside(name)
            with _os_errors_explained(path):
                path.rename(to)
                if beside.is_file():
                    beside.rename(self._beside(new))
        return new

    def delete(self, name: str) -> None:
        """Remove a dataset permanently. Errors: OverbudgetError where it is being written, or cannot be removed."""
        path, beside = self.path(name), self._beside(name)
        with _locked_unless_full(path), _os_errors_explained(path):
            path.unlink(missing_ok=True)
            beside.unlink(missing_ok=True)

    def merge(self, name: str, other: str) -> str:
        """Make one dataset of two, keeping spans that are in both once; returns its name. The two stay as they are."""
        from overbudget.ingest.rewrite.merge import merge

        with writing_new(self.path_for(f"{name}+{other}")) as to:
            merge(self.path(name), self.path(other), to)
        return to.stem

    def parquet(self, name: str) -> bytes:
        """A dataset as a zip file of Parquet files, one for each relation."""
        from overbudget.store.export import export_parquet

        file = io.BytesIO()
        with tempfile.TemporaryDirectory(prefix="overbudget-export-") as folder, zipfile.ZipFile(file, "w") as archive:
            for path in export_parquet(self.path(name), Path(folder)):
                archive.write(path, f"{name}/{path.name}")
        return file.getvalue()

    def size(self) -> int:
        """Bytes of all datasets and uploads."""
        return sum(size_of(path) for path in self.folder.glob("*.duckdb")) + size_below(self.incoming)


def size_of(path: Path) -> int:
    """Bytes of a file; 0 where it is gone."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def size_below(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(map(size_of, folder.rglob("*")))


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # somebody else has just deleted it
        return 0.0


@contextmanager
def _os_errors_explained(path: Path) -> Iterator[None]:
    """Errors: OverbudgetError where the system refuses what is done to `path` inside."""
    try:
        yield
    except OSError as error:
        raise OverbudgetError(f"Cannot change {path.name}: {error.strerror or error}.") from error


@contextmanager
def _locked_unless_full(path: Path) -> Iterator[None]:
    """Inside, no other process writes the dataset; on a disk that is too full for a lock's file nobody can."""
    with ExitStack() as lock:
        try:
            lock.enter_context(writing(path, PATIENCE_S))
        except OverbudgetError as error:
            if not isinstance(error.__cause__, OSError) or error.__cause__.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
        yield


def sample_of(dataset: str) -> Sample | None:
    """The sample that a dataset was made of."""
    return next((sample for sample in samples() if dataset == f"sample-{sample.name}"), None)


def safe_name(name: str) -> str:
    """A file name of at most 80 plain characters: no path, no hidden file."""
    return _SAFE.sub("_", Path(name.replace("\\", "/")).name).lstrip(".")[:80]
