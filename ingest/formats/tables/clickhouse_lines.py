"""Rows of ClickHouse's `otel_traces` in JSON lines, read into columns by DuckDB: no row is looked at in Python.

What it cannot read as it stands (a broken line, a value of another type, tables that are not flattened) is left to the
translation of single records (formats/exports/clickhouse.py), which gives the same for all others and takes ten times as long.
"""

import duckdb
import numpy as np
import orjson
import pyarrow as pa

from overbudget.ingest.batch import SpanBatch
from overbudget.ingest.formats.tables.clickhouse import clickhouse_columns
from overbudget.ingest.formats.tables.columns import batch_of
from overbudget.ingest.report import FileReport
from overbudget.store.tables import passing

_MAP = "MAP(VARCHAR, VARCHAR)"
_MAPS, _TEXTS = [_MAP], ["VARCHAR"]
_COLUMNS: dict[str, str | list[str]] = {
    **dict.fromkeys(
        ("Timestamp", "TraceId", "SpanId", "ParentSpanId", "TraceState", "SpanName", "SpanKind", "ServiceName", "ScopeName",
         "ScopeVersion", "StatusCode", "StatusMessage", "Duration"), "VARCHAR",
    ),
    "ResourceAttributes": _MAP, "SpanAttributes": _MAP,
    "Events.Timestamp": _TEXTS, "Events.Name": _TEXTS, "Events.Attributes": _MAPS,
    "Links.TraceId": _TEXTS, "Links.SpanId": _TEXTS, "Links.TraceState": _TEXTS, "Links.Attributes": _MAPS,
}  # fmt: skip
# A cast passes over time zones, so that a time with another one than UTC is none here.
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?Z?$"


# Nothing is written to the disk: these texts are not redacted yet.
_IN_MEMORY: dict[str, str | bool | int | float | list[str]] = {"threads": "1", "temp_directory": ""}


def _ns(text: str) -> str:
    return (
        f"CASE WHEN regexp_matches({text}, '{_TIME}') THEN epoch_ns(try_cast(rtrim({text}, 'Z') AS TIMESTAMP_NS)) END"
    )


def _whole(text: str) -> str:
    return f"CASE WHEN regexp_matches({text}, '^[0-9]+$') THEN try_cast({text} AS BIGINT) END"


def _length(column: str) -> str:
    return f"""len(coalesce("{column}", []))"""


def _alike(name: str, columns: tuple[str, ...]) -> str:
    """Whether the columns of a nested one have lists of the same length in every row."""
    others = " AND ".join(
        f"{_length(f'{name}.{column}')} = {_length(f'{name}.{columns[0]}')}" for column in columns[1:]
    )
    return f"coalesce(bool_and({others}), true)"


_READ = f"""
CREATE TEMP TABLE rows_read AS
SELECT * REPLACE ({_ns('"Timestamp"')} AS "Timestamp", {_whole('"Duration"')} AS "Duration", list_transform("Events.Timestamp", lambda one: {_ns("one")}) AS "Events.Timestamp")
FROM (
    SELECT {", ".join(f'one."{name}" AS "{name}"' for name in _COLUMNS)}
    FROM (SELECT json_transform(line, '{orjson.dumps(_COLUMNS).decode()}') AS one FROM lines)
)
"""
_WHOLE = f"""
SELECT count(*), coalesce(bool_and("Timestamp" IS NOT NULL AND "Duration" IS NOT NULL AND "TraceId" IS NOT NULL AND "SpanId" IS NOT NULL
    AND "SpanAttributes" IS NOT NULL AND len(list_filter(coalesce("Events.Timestamp", []), lambda one: one IS NULL)) = 0), true),
    {_alike("Events", ("Timestamp", "Name", "Attributes"))}, {_alike("Links", ("TraceId", "SpanId", "TraceState", "Attributes"))}
FROM rows_read
"""


def batch_of_lines(piece: bytes, report: FileReport) -> SpanBatch | None:
    """The spans of lines that are all rows of the table; None where any of them is something else."""
    lines = piece.count(b"\n") + (not piece.endswith(b"\n"))
    if b'"Events":' in piece or b'"Links":' in piece or b'"data":' in piece or b"\n\n" in piece:
        return None
    with duckdb.connect(config=_IN_MEMORY) as connection:
        try:
            with passing(connection, lines=pa.table({"line": _lines(piece)})):
                connection.execute(_READ).fetchall()
        except duckdb.Error:
            return None
        if connection.execute(_WHOLE).fetchall() != [(lines, True, True, True)]:
            return None
        rows = connection.sql("FROM rows_read").to_arrow_table()
    return batch_of(clickhouse_columns(_one_batch(rows), report), report)


def _lines(piece: bytes) -> pa.StringArray:
    """The lines where they lie."""
    ends = np.flatnonzero(np.frombuffer(piece, np.uint8) == ord("\n")) + 1
    offsets = np.concatenate([[0], ends, [] if piece.endswith(b"\n") else [len(piece)]]).astype(np.int32)
    return pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(piece))


def _one_batch(rows: pa.Table) -> pa.RecordBatch:
    return rows.combine_chunks().to_batches()[0]
