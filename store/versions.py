"""The versions of the program, format and method, and which datasets this one reads.

A dataset is quickly made again from its dumps, and answers under different definitions must not be compared: so a dataset
is read only by the versions it was made for; others refuse it with a sentence that says what to type.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from overbudget.store.errors import OverbudgetError

if TYPE_CHECKING:
    import duckdb

PROGRAM = "0.1.0"  # the tag of a release is this with a v before it; pyproject.toml says the same (a test)
FORMAT = 2  # tables and columns of a dataset: raised once for a release in which any of them changed
METHOD = 2  # what ingest derives (docs/reference/method.md): raised once for a release in which a definition changed
READ = f"{FORMAT}.{METHOD}"  # which datasets are read


def write_versions(connection: "duckdb.DuckDBPyConnection") -> None:
    """Record in a new dataset which versions made it."""
    connection.execute("INSERT INTO data.about VALUES (?, ?, ?)", [FORMAT, METHOD, PROGRAM])


def require_readable(connection: "duckdb.DuckDBPyConnection", path: Path) -> None:
    """Errors: OverbudgetError where the dataset was made for other versions than these."""
    has_about = connection.execute(
        "SELECT count(*) FROM system.main.duckdb_tables() WHERE schema_name = 'data' AND table_name = 'about'"
    ).fetchall()[0][0]
    said = (
        connection.execute("SELECT format_version, method_version, made_by FROM data.about LIMIT 1").fetchall()
        if has_about
        else []
    )
    form, method, made_by = said[0] if said else (1, 1, None)
    if (form, method) == (FORMAT, METHOD):
        return
    by = f"overbudget {made_by}" if made_by else "an older overbudget"
    if form > FORMAT or method > METHOD:
        raise OverbudgetError(
            f"{path} was made by {by}, which is newer than this one ({PROGRAM}): "
            f"install that version, or make the dataset again with: overbudget ingest DUMP --to {path}"
        )
    what = "tables" if form < FORMAT else "definitions"
    raise OverbudgetError(
        f"{path} was made by {by}, whose {what} differ from this version's. "
        f"Make it again with: overbudget ingest DUMP --to {path}"
    )
