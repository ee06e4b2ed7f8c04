"""The relations of a dataset: their names, the SQL that defines them, and whether a file has exactly these.

A dataset may come from a stranger. A macro in it would replace DuckDB's function of the same name, in our queries too, and a
view could compute anything: so only a file with exactly the catalogue that this version writes is read.
"""

import hashlib
from functools import cache
from pathlib import Path

import duckdb

from overbudget.store.errors import OverbudgetError
from overbudget.store.versions import require_readable

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


def schema_sql(relation: str) -> str:
    """The documented SQL that defines `relation` (a name in TABLES or VIEWS), its comments included."""
    return (SCHEMA_DIR / f"{relation}.sql").read_text(encoding="utf-8")


def lay_out(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the empty relations."""
    connection.execute("CREATE SCHEMA data")
    for relation in (*TABLES, *VIEWS):
        connection.execute(schema_sql(relation))


# A hash of this version's catalogue as DuckDB 2.0 prints it: comparing with it takes a millisecond, creating the catalogue a
# quarter of a second. If it differs (another DuckDB), the catalogue is created to compare: a test says what to write here.
KNOWN = "07a59748e8914ada"

Catalogue = dict[str, str]

# System functions by full name, and macros first: a file may contain macros of the same names, or of an operator's.
_MACROS = "SELECT function_name FROM system.main.duckdb_functions() WHERE NOT internal LIMIT 1"
_CATALOGUE = """
SELECT if(schema_name = 'main', '', schema_name || '.') || table_name, sql, comment FROM system.main.duckdb_tables() WHERE NOT internal
UNION ALL
SELECT if(schema_name = 'main', '', schema_name || '.') || view_name, sql, comment FROM system.main.duckdb_views() WHERE NOT internal
"""
_STRANGE = """
SELECT 'the trigger', trigger_name FROM system.main.duckdb_triggers()
UNION ALL SELECT 'the index', index_name FROM system.main.duckdb_indexes()
UNION ALL SELECT 'the sequence', sequence_name FROM system.main.duckdb_sequences()
UNION ALL SELECT 'the schema', schema_name FROM system.main.duckdb_schemas() WHERE NOT internal AND schema_name NOT IN ('main', 'data')
"""  # a trigger would run when something is appended
LONGEST_COMMENT = 1_000  # characters: ours have 200


def require_no_macros(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Errors: OverbudgetError where the file holds macros. Before it is known, no function may be called but by its full name."""
    if macro := connection.execute(_MACROS).fetchone():
        raise _distrusted(path, "the macro", macro[0])


def require_own(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Errors: OverbudgetError where the file holds other relations, columns or views than this version writes, or
    triggers, indexes, sequences, schemas or long comments. Nothing that it defines is run to find out, as long as
    `require_no_macros` went before."""
    rows = connection.execute(_CATALOGUE).fetchall()
    if long := [name for name, _, comment in rows if len(comment or "") > LONGEST_COMMENT]:
        raise _distrusted(path, "a very long comment on", long[0])
    found = _as_catalogue(rows)
    if len(found) < len(rows) or (digest(found) != KNOWN and found != own_catalogue()):
        raise _other_relations(connection, path, found)
    if strange := connection.execute(_STRANGE).fetchone():
        raise _distrusted(path, *strange)


def _distrusted(path: Path, what: str, name: str) -> OverbudgetError:
    return OverbudgetError(
        f"{path} was not written by overbudget: it contains {what} {name[:80]!r}. Do not trust this file."
    )


def _other_relations(connection: duckdb.DuckDBPyConnection, path: Path, found: Catalogue) -> OverbudgetError:
    """What is to be said of a file with other relations. Only of our own table of versions is anything read."""
    if missing := [name for name in FIRST_RELATIONS if name not in found]:
        return OverbudgetError(
            f"{path} is a DuckDB file but not a dataset of overbudget: it has no relation {missing[0]}."
        )
    own = own_catalogue()
    if found.get("data.about") in (own["data.about"], None):
        require_readable(connection, path)
    other = sorted(name for name in {*found, *own} if found.get(name) != own.get(name))
    return OverbudgetError(
        f"{path} was not made by this version of overbudget: its relation {other[0] if other else min(found)} is "
        f"{'missing' if other and other[0] not in found else 'different'}. "
        f"Make it again with: overbudget ingest DUMP --to {path}"
    )


def _as_catalogue(rows: list[tuple[str, str, str | None]]) -> Catalogue:
    """Each table and view with the SQL that makes it."""
    return {name: sql for name, sql, _ in rows}


@cache
def own_catalogue() -> Catalogue:
    """The catalogue that this version writes."""
    with duckdb.connect(config={"threads": "1"}) as connection:
        lay_out(connection)
        return _as_catalogue(connection.execute(_CATALOGUE).fetchall())


def digest(found: Catalogue) -> str:
    """A catalogue as sixteen hexadecimal digits."""
    text = "\n".join(f"{name} {sql}" for name, sql in sorted(found.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
