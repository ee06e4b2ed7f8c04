"""Any user's SQL over a dataset, read-only and without access to files or the network."""

import os
import re
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

BATCH = 256  # rows that are fetched at once


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
    timeout_s: float | None = None,
) -> Answer:
    """The answer to one query, read-only and without access to files or the network.

    Errors: OverbudgetError where it is not one statement that asks, with DuckDB's first line where it is wrong, or after
    `timeout_s`.
    """
    with asked(dataset, query, timeout_s) as cursor:
        rows = cursor.fetchall() if most_rows is None else cursor.fetchmany(most_rows + 1)
        columns = columns_of(cursor)
    more = most_rows is not None and len(rows) > most_rows
    return Answer(columns, rows[:most_rows] if more else rows, more)


def sql_frame(connection: duckdb.DuckDBPyConnection, query: str, timeout_s: float | None = None) -> "pd.DataFrame":
    """The answer to one query as a pandas DataFrame. Errors: as run_sql."""
    with asked(connection, query, timeout_s) as cursor:
        frame: pd.DataFrame = cursor.df()
        return frame


def columns_of(cursor: duckdb.DuckDBPyConnection) -> list[str]:
    """The names of an answer's columns."""
    return [column[0] for column in cursor.description or ()]


def rows_of(cursor: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    """An answer's rows, fetched a few at a time: all of them need not fit into memory."""
    while rows := cursor.fetchmany(BATCH):
        yield from rows


@contextmanager
def asked(
    dataset: str | os.PathLike[str] | duckdb.DuckDBPyConnection, query: str, timeout_s: float | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A cursor that has run `query`, and is stopped after `timeout_s`, rows still to be fetched included. Errors: as run_sql."""
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
        _require_question(statements[0])
        cursor.execute(statements[0])
        yield cursor
    except duckdb.Error as error:
        if late.is_set():
            raise OverbudgetError(f"The query took longer than {timeout_s:.0f} s and was stopped.") from error
        said = _first_lines(str(error))
        if isinstance(error, duckdb.OutOfMemoryException):
            said = f"{str(error).splitlines()[0]}. Ask for fewer rows or columns, or aggregate before you sort."
        raise OverbudgetError(f"The query failed: {said}") from error
    finally:
        timer.cancel()
        cursor.close()


# That a file is attached read-only keeps nobody from COPY … TO it, and DuckDB allows a dataset's own file and those beside it
# (.wal, spill) to be written whatever else is forbidden. So it is the statement that has to be one that writes nothing.
_QUESTIONS = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.MULTI)  # the last: PIVOT
_WRITES = re.compile(r"\b(copy|export)\b", re.IGNORECASE)


def _require_question(statement: duckdb.Statement) -> None:
    """Errors: OverbudgetError for a statement that does more than ask, or whose type does not tell."""
    asks = statement.type in _QUESTIONS
    if asks and statement.type != duckdb.StatementType.SELECT:  # one of these may hold another statement
        asks = not _WRITES.search(statement.query)
    if not asks:
        raise OverbudgetError(
            "Only questions can be asked here: SELECT, FROM, WITH, VALUES, PIVOT, DESCRIBE, SUMMARIZE or SHOW, or EXPLAIN of them."
        )


def _first_lines(message: str) -> str:
    """DuckDB's message without the drawing beneath it."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return " ".join(line for line in lines[:3] if not line.startswith(("LINE", "^")))
