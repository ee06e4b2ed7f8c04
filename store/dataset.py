"""Creating, publishing and opening a dataset: one immutable DuckDB file.

A dataset is built beside its final name and renamed into place when complete; readers open it read-only and
sandboxed. While a process has a DuckDB file open for writing no other can open it, hence never in place.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from overbudget.store.errors import OverbudgetError
from overbudget.store.versions import require_readable, write_versions

SCHEMA_DIR = Path(__file__).parent / "schema"
TABLES = [
    "data.about",
    "data.stages",
    "data.places",
    "operations",
    "data.resources",
    "data.scopes",
    "ingest_report",
    "data.spans",
    "data.events",
    "data.links",
    "data.tree",
    "data.skew",
    "requests",
    "data.segments",
    "data.stage_time",
    "data.stage_parts",
    "data.model_calls",
]
VIEWS = ["spans", "span_events", "span_links", "critical_path", "stage_time", "stage_parts", "model_calls"]
RELATIONS = (
    "spans",
    "span_events",
    "span_links",
    "operations",
    "requests",
    "critical_path",
    "stage_time",
    "stage_parts",
    "model_calls",
    "ingest_report",
)
FIRST_RELATIONS = ("spans", "operations", "requests", "ingest_report")  # that a dataset of any version has

BUILD_MEMORY = "350MB"  # what DuckDB may hold while a dataset is built; the rest spills to disk
READ_MEMORY = "2GB"


def schema_sql(relation: str) -> str:
    """The documented SQL that defines `relation` (a name in TABLES or VIEWS), its comments included."""
    return (SCHEMA_DIR / f"{relation}.sql").read_text(encoding="utf-8")


@contextmanager
def build(path: Path, start_from: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A writable connection to a dataset that is published as `path` when the block ends without an exception.

    The file is built in a private folder beside `path` (same file system, so that the rename is atomic) and starts as
    an empty dataset, or as a copy of `start_from`. If the block raises, nothing is left behind and an older dataset
    of that name stays as it was.

    Errors: OverbudgetError where the folder cannot be written.
    """
    made: list[Path] = []
    folder = None
    try:
        _require_replaceable(path)
        made = [parent for parent in path.parents if not parent.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        part = folder / "dataset.duckdb"
        if start_from is not None:
            shutil.copyfile(start_from, part)
        config = {
            "memory_limit": BUILD_MEMORY,
            "temp_directory": str(folder / "spill"),
            "python_enable_replacements": False,  # a query sees the tables it is passed, no variables that happen to have their names
            "threads": "1",  # the readers' threads are busy beside it: a second one here made the whole slower
            "autoinstall_known_extensions": "false",
        }
        connection = duckdb.connect(str(part), config=config)
        try:
            if start_from is None:
                connection.execute("BEGIN")  # one commit, not one for each of two hundred comments
                connection.execute("CREATE SCHEMA data")
                for relation in (*TABLES, *VIEWS):
                    connection.execute(schema_sql(relation))
                write_versions(connection)
                connection.execute("COMMIT")
            yield connection
            connection.execute("CHECKPOINT")
        finally:
            connection.close()
        os.replace(part, path)
    except OSError as error:
        place = path if folder else path.parent
        raise OverbudgetError(f"Cannot write to {place}: {error.strerror or error}.") from error
    except duckdb.IOException as error:
        raise OverbudgetError(f"Cannot write {path}: {str(error).splitlines()[0]}") from error
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # those that hold the dataset stay
            for parent in made:
                parent.rmdir()


def _require_replaceable(path: Path) -> None:
    """Errors: OverbudgetError where `path` is there and no DuckDB file: a dump or a device is not to be lost to a slip."""
    if path.is_dir():
        raise OverbudgetError(f"{path} is a folder: name a file in it, such as {path / 'traces.duckdb'}.")
    if path.exists():
        head = b""
        if path.is_file():
            with path.open("rb") as file:
                head = file.read(12)
        if not path.is_file() or (head and head[8:] != b"DUCK"):
            raise OverbudgetError(f"{path} is there already and no dataset: remove it first, or name another file.")


def open_dataset(path: str | os.PathLike[str]) -> duckdb.DuckDBPyConnection:
    """A read-only, sandboxed connection: no file or network access, limited memory, configuration locked.

    Any number of processes may hold one at a time. Threads share it through `connection.cursor()`, one per call.

    Errors: OverbudgetError where the file is missing, not DuckDB, not a dataset of overbudget, or one of another version.
    """
    path = Path(path)
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
                "memory_limit": READ_MEMORY,
                "python_enable_replacements": False,
                "lock_configuration": "true",
            },
        )
    except (duckdb.Error, RuntimeError) as error:
        raise OverbudgetError(f"{path} cannot be opened as a dataset: {str(error).splitlines()[0]}") from error
    found = set()
    for schema, name in connection.execute("SELECT table_schema, table_name FROM information_schema.tables").fetchall():
        found.add(name if schema == "main" else f"{schema}.{name}")
    try:
        _require_relations(path, FIRST_RELATIONS, found)
        require_readable(connection, path)
        _require_relations(path, RELATIONS, found)
    except OverbudgetError:
        connection.close()
        raise
    return connection


def _require_relations(path: Path, relations: Sequence[str], found: set[str]) -> None:
    missing = [name for name in relations if name not in found]
    if missing:
        raise OverbudgetError(
            f"{path} is a DuckDB file but not a dataset of overbudget: it has no relation {missing[0]}."
        )


def is_readable(path: Path) -> bool:
    """Whether there is a dataset at `path` that this version can read."""
    try:
        open_dataset(path).close()
    except OverbudgetError:
        return False
    return True
