"""Any user's SQL over a dataset, bounded in time and rows."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb

from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError

if TYPE_CHECKING:
    import pandas as pd

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
    with _asked(dataset, query, timeout_s) as cursor:
        if cursor.description is None:
            return Answer([], [], False)
        columns = [column[0] for column in cursor.description]
        rows = cursor.fetchall() if most_rows is None else cursor.fetchmany(most_rows + 1)
    more = most_rows is not None and len(rows) > most_rows
    return Answer(columns, rows[:most_rows] if more else rows, more)


def sql_frame(connection: duckdb.DuckDBPyConnection, query: str, timeout_s: float | None = None) -> "pd.DataFrame":
    """The answer to one query as a pandas DataFrame. Errors: as run_sql."""
    with _asked(connection, query, timeout_s) as cursor:
        frame: pd.DataFrame = cursor.df()
        return frame


@contextmanager
def _asked(
    dataset: str | os.PathLike[str] | duckdb.DuckDBPyConnection, query: str, timeout_s: float | None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A cursor that has run `query`, and is stopped after `timeout_s`, rows still to be fetched included."""
    connection = dataset if isinstance(dataset, duckdb.DuckDBPyConnection) else open_dataset(dataset)
    cursor = connection.cursor()
    late = threading.Event()

    def stop() -> None:
        late.set()
        cursor.interrupt()

    timer = threading.Timer(timeout_s or 0.0, stop)
    timer.daemon = True
    if timeout_s is not None:
        timer.start()
    try:
        statements = cursor.extract_statements(query)
        if len(statements) != 1:
            raise OverbudgetError(f"Write exactly one statement: this has {len(statements) or 'none'}.")
        cursor.execute(statements[0])
        yield cursor
    except duckdb.Error as error:
        if late.is_set():
            raise OverbudgetError(f"The query took longer than {timeout_s:.0f} s and was stopped.") from error
        raise OverbudgetError(f"The query failed: {_first_lines(str(error))}") from error
    finally:
        timer.cancel()
        cursor.close()


def _first_lines(message: str) -> str:
    """DuckDB's message without the drawing beneath it."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return " ".join(line for line in lines[:3] if not line.startswith(("LINE", "^")))
