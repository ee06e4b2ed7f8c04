"""Rows of ClickHouse's `otel_traces` as columns of spans, whatever their types and whichever of them were exported."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from overbudget.ingest.formats.tables.columns import Inner, SpanColumns
from overbudget.ingest.formats.tables.values import columns_by_name, is_list, numbers, plain, texts, times
from overbudget.ingest.report import FileReport
from overbudget.kernels.columns import I64
from overbudget.kernels.otlp import KINDS, STATUS_CODES


def clickhouse_columns(batch: pa.RecordBatch, report: FileReport) -> SpanColumns:
    """Rows of `otel_traces` as columns of spans."""
    column = columns_by_name(batch)
    start = times(column("Timestamp"), len(batch), "a Timestamp", report)
    duration = numbers(column("Duration"), "a Duration", "bad_time", report)
    return SpanColumns(
        trace_id=column("TraceId"),
        span_id=column("SpanId"),
        parent_id=column("ParentSpanId"),
        name=column("SpanName"),
        kind=_enum(column("SpanKind"), "SPAN_KIND_", KINDS, report),
        start_ns=pa.array(start),
        end_ns=pc.add(pa.array(start), duration),  # beyond 64 bits it is negative, which no time is
        status_code=_enum(column("StatusCode"), "STATUS_CODE_", STATUS_CODES, report),
        attributes=column("SpanAttributes"),
        resource=column("ResourceAttributes"),
        service=column("ServiceName"),
        status_message=column("StatusMessage"),
        trace_state=column("TraceState"),
        scope_name=column("ScopeName"),
        scope_version=column("ScopeVersion"),
        events=_nested(
            batch, "Events", {"time_ns": "Timestamp", "name": "Name", "attributes": "Attributes"}, "event", report
        ),
        links=_nested(
            batch,
            "Links",
            {"trace_id": "TraceId", "span_id": "SpanId", "trace_state": "TraceState", "attributes": "Attributes"},
            "link",
            report,
        ),
    )


def _enum(names: pa.Array | None, prefix: str, known: Sequence[str], report: FileReport) -> pa.Array | None:
    """Server, SPAN_KIND_SERVER and SERVER are all SERVER; what is not known is null."""
    if names is None:
        return None
    coded = texts(names, report).dictionary_encode()
    upper = pc.replace_substring(pc.utf8_upper(coded.dictionary), prefix, "")
    upper = pc.if_else(pc.is_in(upper, pa.array(known)), upper, pa.scalar(None, pa.string()))
    return upper.take(coded.indices)


def _nested(batch: pa.RecordBatch, nested: str, columns: dict[str, str], what: str, report: FileReport) -> Inner | None:
    """A nested column, as lists beside one another (`Events.Name`) or as one list of structures (`Events`).

    Of lists that are not of the same length, a row keeps what all of them have.
    """
    column = columns_by_name(batch)
    whole = column(nested)
    found: dict[str, pa.Array] = {}
    if whole is not None:
        lists = plain(whole)
        if is_list(lists.type) and pa.types.is_struct(lists.type.value_type):
            fields = {
                lists.type.value_type.field(place).name: one for place, one in enumerate(lists.flatten().flatten())
            }
            found = {name: fields[inner] for name, inner in columns.items() if inner in fields}
            return Inner(_rows_of(_lengths(lists)), found) if found else None
    lists_by_name = {
        name: plain(one) for name, inner in columns.items() if (one := column(f"{nested}.{inner}")) is not None
    }
    wrong = [
        one for one in [*lists_by_name.values(), *([] if whole is None else [plain(whole)])] if not is_list(one.type)
    ]
    for one in wrong:
        report.warn(
            f"unreadable_{what}", f"a column of {nested} that holds no lists but {one.type}", len(one) - one.null_count
        )
    lists_by_name = {name: one for name, one in lists_by_name.items() if is_list(one.type)}
    if not lists_by_name:
        return None
    lengths = {name: _lengths(one) for name, one in lists_by_name.items()}
    least = np.minimum.reduce([*lengths.values()])
    most = np.maximum.reduce([*lengths.values()])
    report.warn(f"unreadable_{what}", f"lists of {nested} that are not of the same length", int((most - least).sum()))
    for name, one in lists_by_name.items():
        values = one.flatten()
        if (most > least).any():
            starts = np.cumsum(lengths[name]) - lengths[name]
            values = values.take(
                pa.array(np.repeat(starts - (np.cumsum(least) - least), least) + np.arange(least.sum()))
            )
        found[name] = values
    return Inner(_rows_of(least), found)


def _lengths(lists: pa.Array) -> I64:
    return np.array(pc.list_value_length(lists).fill_null(0).cast(pa.int64()).to_numpy(zero_copy_only=False))


def _rows_of(lengths: I64) -> I64:
    return np.repeat(np.arange(len(lengths)), lengths)
