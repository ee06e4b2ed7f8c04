"""Anybody's SQL over a dataset, bounded in time and rows."""

import os
import threading
from dataclasses import dataclass
from typing import Any

import duckdb

from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError

TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Answer:
    """Column names and rows of Python values; `more` where rows were left out."""

    columns: list[str]
    rows: list[tuple[Any, ...]]
    more: bool


def run_sql(
    dataset: str | os.PathLike[str] | duckdb.DuckDBPyConnection,
    query: str,
    most_rows: int | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Answer:
    """The answer to one query, read-only and without access to files or the network.

    Errors: OverbudgetError with DuckDB's first line where the query is wrong, or after `timeout_s`.
    """
    connection = dataset if isinstance(dataset, duckdb.DuckDBPyConnection) else open_dataset(dataset)
    cursor = connection.cursor()
    late = threading.Event()

    def stop() -> None:
        late.set()
        cursor.interrupt()

    timer = threading.Timer(timeout_s, stop)
    timer.daemon = True
    timer.start()
    try:
        statements = cursor.extract_statements(query)
        if len(statements) != 1:
            raise OverbudgetError(f"Write one statement: there are {len(statements) or 'none'}.")
        cursor.execute(statements[0])
        if cursor.description is None:
            return Answer([], [], False)
        columns = [column[0] for column in cursor.description]
        rows = cursor.fetchall() if most_rows is None else cursor.fetchmany(most_rows + 1)
    except duckdb.Error as error:
        if late.is_set():
            raise OverbudgetError(f"The query took longer than {timeout_s:.0f} s and was stopped.") from error
        raise OverbudgetError(f"The query failed: {_first_lines(str(error))}") from error
    finally:
        timer.cancel()
        cursor.close()
    more = most_rows is not None and len(rows) > most_rows
    return Answer(columns, rows[:most_rows] if more else rows, more)


def _first_lines(message: str) -> str:
    """DuckDB's message without the drawing beneath it."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return " ".join(line for line in lines[:3] if not line.startswith(("LINE", "^")))
