"""Whether the numbers in a dataset, by which rows name each other, name rows that there are.

Analyses use them as places in arrays: a file from a stranger with a number of two thousand million would take gigabytes, or read beyond an
array. What is stored is read, 0.02 s for a million spans: the statistics of a column, by which DuckDB would answer, say what whoever
made the file had them say.
"""

from pathlib import Path
from typing import NamedTuple

import duckdb

from overbudget.store.errors import OverbudgetError

SPARSE = 16  # numbers may have gaps, where spans came twice: so many times the rows that there are …
SPARE = 1_000_000  # … and so many more

NUMBERED = {  # the column that numbers the rows of each table
    "data.spans": "span_no", "operations": "operation_id", "requests": "request_no", "data.stages": "stage_id",
    "data.resources": "resource_id", "data.scopes": "scope_id", "ingest_report": "source_id", "data.places": "place_id",
    "data.tree": "node",
}  # fmt: skip
NAMES = {  # table → columns that name rows of another table
    "data.spans": {"operation_id": "operations", "resource_id": "data.resources", "scope_id": "data.scopes", "source_id": "ingest_report"},
    "data.events": {"span_no": "data.spans"},
    "data.links": {"span_no": "data.spans"},
    "data.skew": {"span_no": "data.spans"},
    "data.tree": {
        "span_no": "data.spans", "trace_no": "data.tree", "parent": "data.tree", "operation_id": "operations", "request_no": "requests",
        "stage_id": "data.stages",
    },
    "requests": {"source_id": "ingest_report"},
    "data.segments": {
        "request_no": "requests", "span_no": "data.spans", "operation_id": "operations", "hop_to_id": "data.places",
        "stage_id": "data.stages", "while_running": "data.spans",
    },
    "data.stage_time": {"request_no": "requests", "stage_id": "data.stages"},
    "data.stage_parts": {"request_no": "requests", "stage_id": "data.stages"},
    "data.model_calls": {"span_no": "data.spans", "request_no": "requests", "retry_of": "data.spans"},
}  # fmt: skip
LEAST = -2  # stands for no row, as in data.tree.parent


def require_numbers(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Errors: OverbudgetError where a number names no row that there is, or leaves more gaps than spans that came twice do."""
    bounds = {table: _bounds(connection, table) for table in {*NUMBERED, *NAMES}}
    for table, column in NUMBERED.items():
        rows, (least, greatest) = bounds[table].rows, bounds[table].of[column]
        if least is not None and greatest is not None and not 0 <= least <= greatest <= SPARSE * rows + SPARE:
            raise _wrong(path, table, column)
    for table, columns in NAMES.items():
        for column, named in columns.items():
            least, greatest = bounds[table].of[column]
            most = bounds[named].of[NUMBERED[named]][1]
            if (
                least is not None
                and greatest is not None
                and not LEAST <= least <= greatest <= (-1 if most is None else most)
            ):
                raise _wrong(path, table, column)


class _Bounds(NamedTuple):
    """How many rows a table has, and the least and the greatest of each of its numbers; None where there is none."""

    rows: int
    of: dict[str, tuple[int | None, int | None]]


def _bounds(connection: duckdb.DuckDBPyConnection, table: str) -> _Bounds:
    columns = columns_of(table)
    rows, *found = connection.execute(asked(table)).fetchall()[0]
    turned = [None if one is None else -one for one in found]
    return _Bounds(rows, dict(zip(columns, zip(turned[::2], turned[1::2], strict=True), strict=True)))


def columns_of(table: str) -> list[str]:
    """The columns of a table that number its rows or name others."""
    return sorted({*([NUMBERED[table]] if table in NUMBERED else []), *NAMES.get(table, {})})


def asked(table: str) -> str:
    """The query for the number of rows, and the least and the greatest of each column, turned: statistics do not answer it."""
    return (
        f"SELECT count(*), {', '.join(f'max(-{column}), min(-{column})' for column in columns_of(table))} FROM {table}"
    )


def _wrong(path: Path, table: str, column: str) -> OverbudgetError:
    return OverbudgetError(
        f"{path} is damaged, or was not written by overbudget: {table}.{column} names rows that there are not. "
        f"Make it again with: overbudget ingest DUMP --to {path}"
    )
