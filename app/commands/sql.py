"""overbudget sql."""

import csv
import sys
from pathlib import Path

import duckdb

from overbudget.app.text.blocks import Cell, Column, Table
from overbudget.app.text.csv_cells import csv_cell
from overbudget.app.text.json_text import json_text
from overbudget.app.text.plain import plain, plain_text
from overbudget.app.text.terminal import show
from overbudget.store.query import Answer, asked, columns_of, rows_of, run_sql

TEXT_ROWS = 1_000


def run(dataset: Path, query: str, form: str) -> None:
    """Print the answer to a query as text, csv or json. No cell is cut, and it takes as long as it takes."""
    if form == "text":
        show([_table(run_sql(dataset, query, TEXT_ROWS))])
        return
    with asked(dataset, query) as cursor:
        (_print_json if form == "json" else _print_csv)(cursor)


def _print_json(cursor: duckdb.DuckDBPyConnection) -> None:
    """A list of row objects, as json_text writes one, row by row."""
    columns, before = columns_of(cursor), "["
    for row in rows_of(cursor):
        text = json_text(dict(zip(columns, map(plain, row), strict=True)))
        print(before, text.replace("\n", "\n  "), sep="\n  ", end="")
        before = ","
    print("[]" if before == "[" else "\n]")


def _print_csv(cursor: duckdb.DuckDBPyConnection) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(map(csv_cell, columns_of(cursor)))
    writer.writerows([csv_cell(plain_text(plain(value))) for value in row] for row in rows_of(cursor))


def _table(answer: Answer) -> Table:
    numbers = [
        any(isinstance(row[i], int | float) and not isinstance(row[i], bool) for row in answer.rows)
        for i in range(len(answer.columns))
    ]
    columns = (
        Column(name, "number" if number else "prose") for name, number in zip(answer.columns, numbers, strict=True)
    )
    rows = (tuple(Cell(plain_text(plain(value))) for value in row) for row in answer.rows)
    more = f"Only the first {TEXT_ROWS:,} rows are shown; --csv and --json print all." if answer.more else ""
    return Table("", tuple(columns), tuple(rows), more)
