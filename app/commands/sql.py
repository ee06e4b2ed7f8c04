"""overbudget sql."""

import csv
import datetime
import decimal
import json
import sys
from pathlib import Path
from typing import Any

from overbudget.app.text.blocks import Cell, Column, Table
from overbudget.app.text.csv_cells import csv_cell
from overbudget.app.text.json_text import json_text
from overbudget.app.text.terminal import show
from overbudget.store.query import Answer, run_sql

TEXT_ROWS = 1_000


def run(dataset: Path, query: str, form: str) -> None:
    """Print the answer to a query as text, csv or json."""
    answer = run_sql(dataset, query, TEXT_ROWS if form == "text" else None)
    if form == "json":
        print(json_text([dict(zip(answer.columns, map(plain, row), strict=True)) for row in answer.rows]))
    elif form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(map(csv_cell, answer.columns))
        writer.writerows([csv_cell(_cell(value)) for value in row] for row in answer.rows)
    else:
        show([_table(answer)])


def plain(value: Any) -> Any:
    """A value as JSON can hold it: integers stay integers, times become ISO text, maps objects."""
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray):
        return value.hex()
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _cell(value: Any) -> str:
    value = plain(value)
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list | bool) else str(value)


def _table(answer: Answer) -> Table:
    numbers = [
        any(isinstance(row[i], int | float) and not isinstance(row[i], bool) for row in answer.rows)
        for i in range(len(answer.columns))
    ]
    columns = (
        Column(name, "number" if number else "prose") for name, number in zip(answer.columns, numbers, strict=True)
    )
    rows = (tuple(Cell(_cell(value)) for value in row) for row in answer.rows)
    more = f"Only the first {TEXT_ROWS:,} rows are shown; --csv and --json print all." if answer.more else ""
    return Table("", tuple(columns), tuple(rows), more)
