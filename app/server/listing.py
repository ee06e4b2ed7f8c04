"""What each dataset of a workspace holds, kept in a file next to them: a list of a hundred opens none of them."""

import json
import os
import threading
from contextlib import suppress
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path

import duckdb

from overbudget.app.server.workspace import Workspace
from overbudget.store import versions
from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError

FILE = ".listing.json"


@dataclass(frozen=True)
class Summary:
    """What stands in the list: spans, requests, and how many kinds of warning its dumps gave."""

    spans: int
    requests: int
    warnings: int


Version = tuple[int, int, int]  # of a file: when it was written (ns), its size, its inode


class Listing:
    """The summaries of one workspace. A dataset is opened once, and again when its file is another one."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._known = _read(self._file)
        self._reading = threading.Lock()  # whoever wants the same one waits for it

    def summary(self, path: Path) -> Summary:
        """The summary of the dataset at `path`. Errors: OverbudgetError and duckdb.Error where it cannot be read."""
        version = _version(path)
        if (found := self._found(path, version)) is not None:
            return found
        with self._reading:
            if (found := self._found(path, version)) is None:
                found = summarise(path)
                kept = {name: one for name, one in self._known.items() if (path.parent / name).exists()}
                self._known = {**kept, path.name: (version, found)}
                self._save()
            return found

    def fill(self) -> None:
        """Read what is not known yet, so that no page waits for it."""
        place = Workspace(self._file.parent)
        for name in place.names():
            with suppress(OverbudgetError, duckdb.Error):  # the page says what is wrong
                self.summary(place.path(name))

    def _found(self, path: Path, version: Version) -> Summary | None:
        known = self._known.get(path.name)
        return known[1] if known is not None and known[0] == version else None

    def _save(self) -> None:
        part = self._file.with_name(f"{FILE}.{os.getpid()}")
        kept = {name: [*version, *astuple(found)] for name, (version, found) in self._known.items()}
        try:
            part.write_text(json.dumps({"for": versions.READ, "datasets": kept}))
            part.replace(self._file)
        except OSError:  # a full disk, or a workspace that is read only: the next server reads them again
            with suppress(OSError):
                part.unlink(missing_ok=True)


@cache
def listing_of(folder: Path) -> Listing:
    """The listing of the workspace `folder`: one, whoever asks."""
    return Listing(folder)


def summarise(path: Path) -> Summary:
    """Open a dataset and count. Errors: OverbudgetError and duckdb.Error where it cannot be read."""
    connection = open_dataset(path)
    try:
        found = connection.execute(
            "SELECT sum(spans)::BIGINT, sum(requests)::BIGINT, sum(len(warnings))::BIGINT FROM ingest_report"
        ).fetchall()[0]
    finally:
        connection.close()
    return Summary(*(int(one or 0) for one in found))


def _version(path: Path) -> Version:
    try:
        found = path.stat()
    except OSError as error:
        raise OverbudgetError(f"The dataset {path.stem} cannot be read: {error.strerror or error}.") from error
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(file: Path) -> dict[str, tuple[Version, Summary]]:
    """What a server before has kept; nothing where the file is missing, not one of ours, or of a version that reads others."""
    try:
        kept = json.loads(file.read_text())
        if kept["for"] != versions.READ:
            return {}
        return {name: (_three(one[:3]), Summary(*_three(one[3:]))) for name, one in kept["datasets"].items()}
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return {}


def _three(given: list[object]) -> tuple[int, int, int]:
    first, second, third = given
    if not (isinstance(first, int) and isinstance(second, int) and isinstance(third, int)):
        raise TypeError("not three numbers")
    return first, second, third
