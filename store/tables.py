"""Arrow tables into queries and relations. A query sees what it is passed, never a Python variable of that name."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    import pyarrow as pa


def insert(connection: duckdb.DuckDBPyConnection, relation: str, rows: "pa.Table") -> None:
    """Append `rows`, whose columns have the relation's names; missing columns become NULL.

    A registered view would stay in memory until the transaction ends: this releases `rows` when it is done.
    """
    given = set(rows.column_names)
    columns = (f'"{name}"' if name in given else f'NULL AS "{name}"' for name in connection.table(relation).columns)
    connection.from_arrow(rows).project(", ".join(columns)).insert_into(relation)


@contextmanager
def passing(connection: duckdb.DuckDBPyConnection, **tables: "pa.Table") -> Iterator[None]:
    """Inside, queries of `connection` find `tables` by their names."""
    for name, table in tables.items():
        connection.register(name, table)
    try:
        yield
    finally:
        for name in tables:
            connection.unregister(name)
