"""Tables whose rows are records of a format of JSON, row by row."""

import ast
import csv
import io
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any, BinaryIO

import orjson

from overbudget.ingest.batch import SpanBatch
from overbudget.ingest.formats.catalogue import Format
from overbudget.ingest.formats.json.dialects import records
from overbudget.ingest.formats.json.rows import columns_of
from overbudget.ingest.formats.kernel_reader import batch_of_columns
from overbudget.ingest.formats.translate import lines_of
from overbudget.ingest.report import FileReport
from overbudget.store.errors import OverbudgetError

AT_ONCE = 20_000
LONGEST_FIELD = 1 << 30
_WHOLE = re.compile(r"-?\d+\.0")


def batches_of_rows(rows: list[dict[str, Any]], form: Format, report: FileReport) -> Iterator[SpanBatch]:
    """The spans of rows as Python values."""
    for start in range(0, len(rows), AT_ONCE):
        plain = [
            {key: _readable(key, value, report) for key, value in row.items()} for row in rows[start : start + AT_ONCE]
        ]
        found = [
            record for line in lines_of(form, plain, report) for record in records(line.replace(b"\n", b" "), report)
        ]
        yield batch_of_columns(columns_of(one for record in found for one in record), report)


def _readable(key: str, value: Any, report: FileReport) -> Any:
    """A value of a table as JSON has it; null, and reported, where it is nested deeper than Python follows."""
    try:
        return _plain(key, value)
    except RecursionError:
        report.warn("unreadable_attribute", f"{key}: lists and maps nested too deep")
        return None


def _plain(key: str, value: Any) -> Any:
    """A value of a table as JSON has it: times as text; a column of counts with gaps was made one of doubles."""
    if isinstance(value, float):
        if value != value:  # a gap
            return None
        return int(value) if value.is_integer() and "token" in key else value
    if isinstance(value, Decimal):
        return int(value) if int(value) == value else float(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, list | tuple):
        if value and all(isinstance(one, tuple) and len(one) == 2 and isinstance(one[0], str) for one in value):
            return {name: _plain(name, inner) for name, inner in value}  # a map
        return [_plain(key, one) for one in value]
    if isinstance(value, dict):
        return {name: _plain(name, inner) for name, inner in value.items() if inner is not None}
    return value


def read_csv(stream: BinaryIO, form: Format, report: FileReport) -> Iterator[SpanBatch]:
    """The spans of a CSV file with a head. Lists and objects stand in it as Python or JSON writes them."""
    csv.field_size_limit(LONGEST_FIELD)
    lines = csv.DictReader(io.TextIOWrapper(io.BufferedReader(_Readable(stream)), "utf-8-sig", "replace", newline=""))
    try:
        while rows := list(islice(lines, AT_ONCE)):
            yield from batches_of_rows([_typed(row, report) for row in rows], form, report)
    except csv.Error as error:
        raise OverbudgetError(f"{report.source} cannot be read as CSV: {error}.") from error


def _typed(row: dict[Any, Any], report: FileReport | None = None) -> dict[str, Any]:
    return {
        key: _value(key, value, report)
        for key, value in row.items()
        if isinstance(key, str) and value not in (None, "")
    }


def _value(key: str, text: Any, report: FileReport | None) -> Any:
    if isinstance(text, str) and _WHOLE.fullmatch(text) and "token" in key:
        return int(text[:-2])
    if isinstance(text, str) and text[:1] in "[{" and key in ("events", "links", "context", "attributes", "status"):
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            pass
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            if report is not None:
                report.warn("unreadable_attribute", f"{key}: neither JSON nor Python: {text[:40]}")
            return None
    return text


class _Readable(io.RawIOBase):
    """A stream that only reads, for what wants a file."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(min(len(buffer), 1 << 20))
        buffer[: len(data)] = data
        return len(data)


def rows_of_head(head: bytes) -> Iterable[dict[str, Any]]:
    """The first rows of what may be CSV, and one that is nothing but its head: a long text may have taken all there is of the first."""
    csv.field_size_limit(LONGEST_FIELD)
    text = head.decode("utf-8-sig", "replace")
    try:
        lines = csv.DictReader(io.StringIO(text, newline=""))
        rows = list(islice(lines, 3))
    except csv.Error:
        return []
    return [*map(_typed, rows), dict.fromkeys(lines.fieldnames or (), "")]
