"""docs/reference/relations.md, made from the comments of an empty dataset."""

import tempfile
from pathlib import Path

from overbudget.store.dataset import build, open_dataset
from overbudget.store.relations import RELATIONS

HEAD = """# The relations of a dataset

Made from the comments in a dataset: `SELECT * FROM duckdb_columns()` shows them too. Read them with `overbudget sql`,
on the SQL page, in Python, with plain `duckdb`, or as Parquet files after `overbudget export`. Columns may be added; none is
renamed or changes its meaning without a note in CHANGELOG.md. The tables in the schema `data` are internal.

Times that end in `_ns` are integers in ns; of an instant, since 1970 in UTC. [method.md](method.md) defines the quantities,
[../sql.md](../sql.md) has queries.
"""


def page() -> str:
    """The page as Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.duckdb"
        with build(path):
            pass
        connection = open_dataset(path)
        about = dict(
            connection.execute(
                "SELECT table_name, comment FROM duckdb_tables() UNION ALL SELECT view_name, comment FROM duckdb_views()"
            ).fetchall()
        )
        columns = connection.execute(
            """SELECT table_name, column_name, data_type, comment FROM duckdb_columns()
               WHERE schema_name = 'main' AND NOT internal ORDER BY table_name, column_index"""
        ).fetchall()
        connection.close()
    parts = [HEAD]
    for relation in RELATIONS:
        rows = [f"| `{name}` | {kind} | {_cell(said)} |" for table, name, kind, said in columns if table == relation]
        table = "\n".join(["| column | type | is |", "| --- | --- | --- |", *rows])
        parts.append(f"## {relation}\n\n{about[relation]}.\n\n{table}\n")
    return "\n".join(parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
