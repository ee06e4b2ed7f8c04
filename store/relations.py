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
KNOWN = "a25f3667f2cda88b"

Catalogue = dict[str, str]

# System functions by full name: a file may contain macros of the same names.
_CATALOGUE = """
SELECT if(schema_name = 'main', '', schema_name || '.') || table_name, sql FROM system.main.duckdb_tables() WHERE NOT internal
UNION ALL
SELECT if(schema_name = 'main', '', schema_name || '.') || view_name, sql FROM system.main.duckdb_views() WHERE NOT internal
"""
_MACROS = "SELECT function_name FROM system.main.duckdb_functions() WHERE NOT internal LIMIT 1"


def require_own(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Errors: OverbudgetError where the file holds other relations, columns or views than this version writes, or macros."""
    found = catalogue(connection)
    if digest(found) != KNOWN and found != (own := own_catalogue()):
        if missing := [name for name in FIRST_RELATIONS if name not in found]:
            raise OverbudgetError(
                f"{path} is a DuckDB file but not a dataset of overbudget: it has no relation {missing[0]}."
            )
        require_readable(connection, path)
        other = sorted(name for name in {*found, *own} if found.get(name) != own.get(name))
        raise OverbudgetError(
            f"{path} was not made by this version of overbudget: its relation {other[0]} is "
            f"{'different' if other[0] in found else 'missing'}. "
            f"Make it again with: overbudget ingest DUMP --to {path}"
        )
    if macro := connection.execute(_MACROS).fetchone():
        raise OverbudgetError(
            f"{path} was not written by overbudget: it contains a macro, {macro[0][:80]!r}. Do not trust this file."
        )


def catalogue(connection: duckdb.DuckDBPyConnection) -> Catalogue:
    """Each table and view of an open file with the SQL that makes it."""
    return dict(connection.execute(_CATALOGUE).fetchall())


@cache
def own_catalogue() -> Catalogue:
    """The catalogue that this version writes."""
    with duckdb.connect(config={"threads": "1"}) as connection:
        lay_out(connection)
        return catalogue(connection)


def digest(found: Catalogue) -> str:
    """A catalogue as sixteen hexadecimal digits."""
    text = "\n".join(f"{name} {sql}" for name, sql in sorted(found.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
