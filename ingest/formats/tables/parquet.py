"""Parquet files of spans: our own export, ClickHouse's `otel_traces`, and tables whose rows are records of another format."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from overbudget.ingest.batch import SpanBatch
from overbudget.ingest.formats.catalogue import CLICKHOUSE, OWN, format_of, refusal
from overbudget.ingest.formats.tables.clickhouse import clickhouse_columns
from overbudget.ingest.formats.tables.columns import Inner, SpanColumns, batch_of
from overbudget.ingest.formats.tables.rows import batches_of_rows
from overbudget.ingest.formats.tables.values import columns_by_name, ids, one_array, texts, values_of
from overbudget.ingest.report import FileReport
from overbudget.stages.names import MISSING_SCOPE
from overbudget.store.errors import OverbudgetError

ROWS = 100_000
_ID_DIGITS = {"trace_id": 32, "span_id": 16, "parent_id": 16, "parent_span_id": 16}
_OWN = {"trace_id", "span_id", "parent_span_id", "start_ns", "end_ns", "attributes", "resource_attributes"}
# What Arrow raises for a file that is not what it says it is; OSError too, though no disk failed.
_DAMAGE = (pa.ArrowException, OSError)
_CLICKHOUSE = {"TraceId", "SpanId", "SpanName", "Timestamp", "Duration"}


def read(file: Any, beside: Path | None, report: FileReport) -> Iterator[SpanBatch]:
    """The spans of a Parquet file, which is open; `beside` is the folder it lies in, where it has one.

    A row group that is damaged is left out and reported.

    Errors: OverbudgetError where it holds no spans.
    """
    try:
        table = pq.ParquetFile(file)
        names = set(table.schema_arrow.names)
    except _DAMAGE as error:
        raise _unreadable(report, error) from error
    if names >= _OWN:
        report.format = f"{OWN.title}"
        yield from _own(table, beside, report)
    elif names >= _CLICKHOUSE:
        report.format = f"{CLICKHOUSE.title}, Parquet"
        for batch in _batches(table, report):
            yield batch_of(clickhouse_columns(batch, report), report)
    else:
        yield from _rows(table, report)


def _batches(table: pq.ParquetFile, report: FileReport) -> Iterator[pa.RecordBatch]:
    """The rows of the file. What is damaged costs the rest of its row group.

    Errors: OverbudgetError where no row could be read.
    """
    read = 0
    try:
        for batch in table.iter_batches(ROWS):
            read += batch.num_rows
            yield batch
        return
    except _DAMAGE as error:
        damage: BaseException = error
    lost: list[tuple[str, int]] = []
    sizes = [table.metadata.row_group(group).num_rows for group in range(table.num_row_groups)]
    for group, first in enumerate(np.cumsum([0, *sizes[:-1]]).tolist()):
        seen, here = first, max(read, first)  # rows of the file: read for a second time, and to go on from
        try:
            for batch in table.iter_batches(ROWS, row_groups=[group]):
                fresh = batch.slice(max(0, here - seen))
                seen += batch.num_rows
                if fresh.num_rows:
                    read += fresh.num_rows
                    yield fresh
        except _DAMAGE as error:
            left = first + sizes[group] - max(seen, here)
            lost.append((f"{left} rows of a row group: {_said(error)}", left))
    if not read:
        raise _unreadable(report, damage)
    for what, count in lost:
        report.reject("damaged", what, count)


def _unreadable(report: FileReport, error: BaseException) -> OverbudgetError:
    return OverbudgetError(f"{report.source} cannot be read as Parquet: {_said(error)}.")


def _said(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(".: ")


def _rows(table: pq.ParquetFile, report: FileReport) -> Iterator[SpanBatch]:
    """A table whose rows are records of a format that is known."""
    batches = _batches(table, report)
    first = next(batches, None)
    record = next(iter(_records(first.slice(0, 1), FileReport(report.source))), {}) if first is not None else {}
    form = format_of(record)
    if form is not None and form.instead:
        raise OverbudgetError(f"{report.source} is {refusal(form)}.")
    if form is None or form.resource_spans is None:
        if any((one.metadata or {}).get(b"comment") for one in table.schema_arrow):
            raise OverbudgetError(
                f"{report.source} is another relation of an export of overbudget: ingest the file spans.parquet beside it."
            )
        some = ", ".join(table.schema_arrow.names[:6])
        raise OverbudgetError(
            f"{report.source} is a Parquet file without spans that overbudget knows; its columns are {some or 'none'}. "
            "What is read: overbudget ingest --formats."
        )
    report.format = f"{form.title}, Parquet"
    for batch in chain([first], batches):
        yield from batches_of_rows(_records(batch, report), form, report)


def _records(batch: pa.RecordBatch, report: FileReport) -> list[dict[str, Any]]:
    """The rows as Python values, ids as text."""
    columns = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        digits = _ID_DIGITS.get(name.rpartition(".")[2])
        if digits is not None and not pa.types.is_nested(column.type):
            columns.append(ids(column, len(column), digits, report).to_pylist())
        else:
            columns.append(values_of(column, report))
    return [dict(zip(batch.schema.names, row, strict=True)) for row in zip(*columns, strict=True)]


def _own(table: pq.ParquetFile, beside: Path | None, report: FileReport) -> Iterator[SpanBatch]:
    """The relation `spans` of an export, without the spans that stand for missing parents: those are made anew."""
    events, links = _relation(beside, "span_events", report), _relation(beside, "span_links", report)
    for batch in _batches(table, report):
        rows = batch
        if "scope_name" in batch.schema.names:
            scope = texts(batch.column("scope_name"), FileReport(report.source))
            rows = batch.filter(pc.fill_null(pc.not_equal(scope, MISSING_SCOPE), True))
        column = columns_by_name(rows)
        spans = _ids(rows)
        inner = {"attributes": "attributes", "dropped": "dropped_attributes_count"}
        yield batch_of(
            SpanColumns(
                trace_id=column("trace_id"),
                span_id=column("span_id"),
                parent_id=column("parent_span_id"),
                name=column("name"),
                kind=column("kind"),
                start_ns=column("start_ns"),
                end_ns=column("end_ns"),
                status_code=column("status_code"),
                attributes=column("attributes"),
                resource=column("resource_attributes"),
                status_message=column("status_message"),
                trace_state=column("trace_state"),
                flags=column("flags"),
                scope_name=column("scope_name"),
                scope_version=column("scope_version"),
                scope_attributes=column("scope_attributes"),
                resource_url=column("resource_schema_url"),
                scope_url=column("scope_schema_url"),
                dropped=tuple(column(f"dropped_{what}_count") for what in ("attributes", "events", "links")),
                events=_of_spans(events, spans, {"time_ns": "time_ns", "name": "name", **inner}),
                links=_of_spans(
                    links,
                    spans,
                    {
                        "trace_id": "linked_trace_id",
                        "span_id": "linked_span_id",
                        "trace_state": "trace_state",
                        "flags": "flags",
                        **inner,
                    },
                ),
            ),
            report,
        )


def _ids(rows: pa.RecordBatch | pa.Table) -> pa.Array:
    """Which span each row is of, whatever its types."""
    quiet = FileReport("")
    column = columns_by_name(rows)
    trace, span = (texts(column(name), quiet).fill_null("") for name in ("trace_id", "span_id"))
    return pc.binary_join_element_wise(trace, span, "")


def _relation(beside: Path | None, name: str, report: FileReport) -> pa.Table | None:
    """Another relation of the export, where it lies beside the spans."""
    file = beside / f"{name}.parquet" if beside else None
    if file is None or not file.exists():
        report.warn("events_missing", f"{name}.parquet does not lie beside the spans")
        return None
    try:
        found = pq.ParquetFile(file).read()
    except _DAMAGE as error:
        report.warn("events_missing", f"{name}.parquet beside the spans cannot be read as Parquet: {_said(error)}")
        return None
    if not {"trace_id", "span_id"} <= set(found.column_names):
        report.warn("events_missing", f"{name}.parquet beside the spans does not say which spans it is of")
        return None
    return found


def _of_spans(table: pa.Table | None, ids: pa.Array, columns: dict[str, str]) -> Inner | None:
    """The events or links of the spans with these ids."""
    if table is None or not table.num_rows:
        return None
    places = one_array(pc.index_in(_ids(table), value_set=ids)).fill_null(-1).to_numpy(zero_copy_only=False)
    here = np.flatnonzero(places >= 0)
    rows = table.take(pa.array(here))
    have = set(rows.column_names)
    return Inner(places[here], {name: one_array(rows.column(one)) for name, one in columns.items() if one in have})
