"""Creating, publishing and opening a dataset: one immutable DuckDB file.

A dataset is built next to its final path and renamed into place when complete; readers open it read-only and sandboxed.
It is never changed in place, because no process can open a DuckDB file while another has it open for writing.
"""

import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb

from overbudget.store.empty import put_empty
from overbudget.store.errors import OverbudgetError
from overbudget.store.limits import limit
from overbudget.store.lock import writing
from overbudget.store.numbers import require_numbers
from overbudget.store.relations import require_no_macros, require_own
from overbudget.store.versions import require_readable

BUILD_MEMORY = "350MB"  # what DuckDB may hold while a dataset is built; the rest spills to disk
HEADERS = 3 << 12  # bytes of a DuckDB file before its first block


@dataclass(frozen=True)
class Space:
    """What DuckDB may take while a dataset is read: memory, and disk for what does not fit, in the folder `spill_to`, or else
    beside the dataset."""

    memory_bytes: int
    spill_bytes: int
    spill_to: Path | None = None

    def config(self) -> dict[str, str]:
        """What DuckDB is opened with. `spill_bytes` is not among it: DuckDB 2.0 forgets that unless it is set afterwards."""
        memory = {"memory_limit": f"{self.memory_bytes}B"}
        return memory if self.spill_to is None else {**memory, "temp_directory": str(self.spill_to)}


@contextmanager
def build(path: Path, start_from: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A writable connection to a dataset that is published as `path` when the block ends without an exception.

    The file is built in a private folder next to `path` (same file system, so that the rename is atomic) and starts as
    an empty dataset, or as a copy of `start_from`. If the block raises, nothing remains and an older dataset of that
    name stays as it was. No other process writes the dataset meanwhile (store.lock); remains of a killed builder are
    removed.

    Errors: OverbudgetError where the folder cannot be written, or another writer takes too long.
    """
    _require_replaceable(path)
    with writing(path):
        sweep(path)
        yield from _built(path, start_from)


def _built(path: Path, start_from: Path | None) -> Iterator[duckdb.DuckDBPyConnection]:
    with private_file(path) as part:
        if start_from is None:
            put_empty(part)
        else:
            shutil.copyfile(start_from, part)
        config = {
            "memory_limit": BUILD_MEMORY,
            "temp_directory": str(part.parent / "spill"),
            "python_enable_replacements": False,  # a query sees the tables it is passed, not Python variables of the same name
            "threads": "1",  # the readers' threads are busy at the same time: a second one here was slower overall
            "autoinstall_known_extensions": "false",
        }
        connection = duckdb.connect(str(part), config=config)
        try:
            yield connection
            connection.execute("CHECKPOINT")
        finally:
            connection.close()


@contextmanager
def private_file(path: Path) -> Iterator[Path]:
    """A path in a folder of its own next to `path`, whose file is moved to `path` when the block ends without an exception.

    The lock of `path` must be held. Errors: OverbudgetError where the disk does not take what is written inside, or `path`
    is no dataset.
    """
    _require_replaceable(path)
    folder = (
        path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}"
    )  # named before it is made: who is stopped in between removes it
    try:
        folder.mkdir(mode=0o700)
        yield folder / _PART
        os.replace(folder / _PART, path)
    except OSError as error:
        place = path if folder.exists() else path.parent
        raise OverbudgetError(f"Cannot write to {place}: {error.strerror or error}.") from error
    except duckdb.Error as error:
        if why := _not_written(error):
            raise OverbudgetError(f"Cannot write to {path}: {why}.") from error
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _not_written(error: duckdb.Error) -> str | None:
    """Why the disk did not take what DuckDB wrote, which it reports as an error of many kinds; None where that is not it."""
    said = str(error)
    if found := _REFUSED.search(said):
        return found.group(1) or "the disk did not confirm that it has what was written (fsync failed)"
    if isinstance(error, duckdb.IOException) and damage(error) is None:
        return said.splitlines()[0].rstrip(".")
    if isinstance(error, duckdb.OutOfMemoryException):
        return f"DuckDB needs more than its {BUILD_MEMORY} of memory and finds no room for the rest on the disk"
    return None


_REFUSED = re.compile(
    r"""(?:Could\ not|Cannot|Failed\ to)\ (?:write|open|fsync|truncate|allocate|create|move|rename)[^"]*"[^"]*":\ ([^\n"]+)
        | fsync\ failed""",
    re.VERBOSE,
)


def sweep(path: Path) -> int:
    """Remove the folders of killed builders of `path`; returns how many. Its lock must be held."""
    of_it = re.compile(rf"\.{re.escape(path.name)}\.{_MADE_UP}")  # not of one whose name only begins so
    left = [folder for folder in path.parent.glob(".*") if of_it.fullmatch(folder.name) and _is_builders(folder)]
    for folder in left:
        shutil.rmtree(folder, ignore_errors=True)
    return len(left)


def sweep_folder(folder: Path) -> int:
    """The same for every dataset in `folder` that is not being written."""
    names = {found.group(1) for path in folder.glob(".*") if (found := _LEFT_BEHIND.fullmatch(path.name))}
    swept = 0
    for name in sorted(names):
        with suppress(OverbudgetError), writing(folder / name, wait_s=0.0):
            swept += sweep(folder / name)
    return swept


_PART = "dataset.duckdb"
_MADE_UP = "[a-z0-9_]{8}"  # by tempfile
_LEFT_BEHIND = re.compile(rf"\.(.+\.duckdb)\.(?:lock|{_MADE_UP})")


def _is_builders(folder: Path) -> bool:
    """Whether this is a builder's folder and contains only a builder's files."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    known = {_PART, f"{_PART}.wal", "spill"}
    return all(one.name in known or one.name.startswith(f".{_PART}.") for one in folder.iterdir())


def _require_replaceable(path: Path) -> None:
    """Errors: OverbudgetError where `path` exists and is not a DuckDB file: a mistyped path must not destroy a dump."""
    if path.is_dir():
        raise OverbudgetError(f"{path} is a folder: name a file in it, such as {path / 'traces.duckdb'}.")
    if path.exists():
        head = b""
        if path.is_file():
            with path.open("rb") as file:
                head = file.read(12)
        if not path.is_file() or (head and head[8:] != b"DUCK"):
            raise OverbudgetError(f"{path} exists already and is not a dataset: remove it first, or name another file.")


def open_dataset(path: str | os.PathLike[str], space: Space | None = None) -> duckdb.DuckDBPyConnection:
    """A read-only, sandboxed connection: no file or network access, limited memory and disk, configuration locked.

    `space` is what DuckDB may take, unless it is what the limits read_memory and read_spill say.

    Any number of processes may hold one at a time. Threads share it through `connection.cursor()`, one per call.

    Errors: OverbudgetError where the file is missing, not DuckDB, not a dataset of overbudget, or one of another version.
    """
    path = Path(path)
    space = space or Space(limit("read_memory"), limit("read_spill"))
    if not path.is_file():
        raise OverbudgetError(f"There is no dataset {path}. Make one with: overbudget ingest DUMP --to {path}")
    try:
        connection = duckdb.connect(
            str(path),
            read_only=True,
            config={
                "enable_external_access": "false",
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                **space.config(),
                "python_enable_replacements": False,
            },
        )
        _lock(connection, space)
    except (duckdb.Error, RuntimeError) as error:
        raise OverbudgetError(f"{path} cannot be opened as a dataset: {str(error).splitlines()[0]}") from error
    try:
        require_no_macros(connection, path)
        _require_whole(connection, path)
        require_own(connection, path)
        require_readable(connection, path)
        require_numbers(connection, path)
    except (OverbudgetError, duckdb.Error) as error:
        connection.close()
        if isinstance(error, OverbudgetError):
            raise
        raise OverbudgetError(f"{path} cannot be opened as a dataset: {str(error).splitlines()[0]}") from error
    return connection


def _lock(connection: duckdb.DuckDBPyConnection, space: Space) -> None:
    """No setting changes any more. Where this process has the file open already, that is so already."""
    try:
        connection.execute(f"SET max_temp_directory_size = '{space.spill_bytes}B'")
        connection.execute("SET lock_configuration = true")
    except duckdb.InvalidInputException:
        locked = "SELECT value FROM system.main.duckdb_settings() WHERE name = 'lock_configuration'"
        if connection.execute(locked).fetchall() != [("true",)]:
            raise


def _require_whole(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Errors: OverbudgetError where the file ends before its last used block: an incomplete copy."""
    sizes = connection.execute("SELECT block_size, total_blocks FROM system.main.pragma_database_size()").fetchall()
    block, blocks = sizes[0]
    size = path.stat().st_size
    if size >= HEADERS + block * blocks:
        return
    whole = HEADERS + block * min(blocks, _used_blocks(connection, blocks))
    if size < whole:
        raise OverbudgetError(
            f"{path} is cut off: only {size:,} of its {whole:,} bytes are there. "
            f"Copy it again, or make it again with: overbudget ingest DUMP --to {path}"
        )


def _used_blocks(connection: duckdb.DuckDBPyConnection, otherwise: int) -> int:
    """How many blocks a file has up to its last used one, as DuckDB counts free blocks too that it has cut off the end of
    the file; `otherwise` where that cannot be read."""
    try:
        tables = connection.execute("SELECT schema_name, table_name FROM system.main.duckdb_tables()").fetchall()
        used = connection.execute("SELECT max(block_id) FROM system.main.pragma_metadata_info()").fetchall()
        for table in tables:
            name = ".".join('"' + part.replace('"', '""') + '"' for part in table)
            used += connection.execute(
                "SELECT greatest(max(block_id), max(list_max(additional_block_ids))) FROM system.main.pragma_storage_info(?)",
                [name],
            ).fetchall()
    except duckdb.Error:
        return otherwise
    return 1 + max((last for (last,) in used if last is not None), default=-1)


def damage(error: BaseException) -> str | None:
    """A sentence where DuckDB found, in the middle of an answer, that the dataset's file is damaged; else None."""
    said = str(error)
    if isinstance(error, duckdb.Error) and any(mark in said for mark in _DAMAGED):
        return (
            "The dataset's file is damaged: its content is not what was written. "
            "Restore it from a copy, or make it again with: overbudget ingest DUMP --to FILE"
        )
    return None


# DuckDB's messages about wrong or missing blocks, and about every query after one of them made it unusable.
_DAMAGED = ("Corrupt database file", "Could not read", "Failed to deserialize", "database has been invalidated")


def is_readable(path: Path) -> bool:
    """Whether there is a dataset at `path` that this version can read."""
    try:
        open_dataset(path).close()
    except OverbudgetError:
        return False
    return True
