"""Rows of ClickHouse's `otel_traces` in JSON lines, read into columns by DuckDB: no row is looked at in Python.

What it cannot read as it stands (a broken line, a value of another type, tables that are not flattened) is left to the
translation of single records (formats/exports/clickhouse.py), which gives the same for all others and takes ten times as long.
"""

import tempfile

import duckdb
import pyarrow as pa

from overbudget.ingest.batch import SpanBatch
from overbudget.ingest.formats.tables.clickhouse import clickhouse_columns
from overbudget.ingest.formats.tables.columns import batch_of
from overbudget.ingest.report import FileReport

_MAP, _MAPS, _TEXTS = "MAP(VARCHAR, VARCHAR)", "MAP(VARCHAR, VARCHAR)[]", "VARCHAR[]"
_COLUMNS = {
    **dict.fromkeys(
        ("Timestamp", "TraceId", "SpanId", "ParentSpanId", "TraceState", "SpanName", "SpanKind", "ServiceName", "ScopeName",
         "ScopeVersion", "StatusCode", "StatusMessage"), "VARCHAR",
    ),
    "Duration": "BIGINT", "ResourceAttributes": _MAP, "SpanAttributes": _MAP,
    "Events.Timestamp": _TEXTS, "Events.Name": _TEXTS, "Events.Attributes": _MAPS,
    "Links.TraceId": _TEXTS, "Links.SpanId": _TEXTS, "Links.TraceState": _TEXTS, "Links.Attributes": _MAPS,
}  # fmt: skip
# A cast passes over time zones, so that a time with another one than UTC is none here.
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?Z?$"


def _ns(text: str) -> str:
    return (
        f"CASE WHEN regexp_matches({text}, '{_TIME}') THEN epoch_ns(try_cast(rtrim({text}, 'Z') AS TIMESTAMP_NS)) END"
    )


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
SELECT * REPLACE ({_ns('"Timestamp"')} AS "Timestamp", list_transform("Events.Timestamp", lambda one: {_ns("one")}) AS "Events.Timestamp")
FROM read_json($file, format = 'newline_delimited', compression = 'none', maximum_object_size = 67108864,
    columns = {{{", ".join(f"'{name}': '{kind}'" for name, kind in _COLUMNS.items())}}})
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
    with tempfile.NamedTemporaryFile(suffix=".json") as file, duckdb.connect(config={"threads": "1"}) as connection:
        file.write(piece)
        file.flush()
        try:
            connection.execute(_READ, {"file": file.name}).fetchall()
        except duckdb.Error:
            return None
        if connection.execute(_WHOLE).fetchall() != [(lines, True, True, True)]:
            return None
        rows = connection.sql("FROM rows_read").to_arrow_table()
    return batch_of(clickhouse_columns(_one_batch(rows), report), report)


def _one_batch(rows: pa.Table) -> pa.RecordBatch:
    return rows.combine_chunks().to_batches()[0]
