"""Parquet files of spans: our own export, ClickHouse's `otel_traces`, and tables whose rows are records of another format."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from overbudget.ingest.batch import SpanBatch
from overbudget.ingest.formats.catalogue import CLICKHOUSE, OWN, format_of, refusal
from overbudget.ingest.formats.tables.columns import Inner, SpanColumns, batch_of, one_array
from overbudget.ingest.formats.tables.rows import batches_of_rows
from overbudget.ingest.report import FileReport
from overbudget.kernels.otlp import KINDS, STATUS_CODES
from overbudget.stages.names import MISSING_SCOPE
from overbudget.store.errors import OverbudgetError

ROWS = 100_000
_OWN = {"trace_id", "span_id", "parent_span_id", "start_ns", "end_ns", "attributes", "resource_attributes"}
_CLICKHOUSE = {"TraceId", "SpanId", "SpanName", "Timestamp", "Duration"}


def read(file: Any, beside: Path | None, report: FileReport) -> Iterator[SpanBatch]:
    """The spans of a Parquet file, which is open; `beside` is the folder it lies in, where it has one.

    Errors: OverbudgetError where it holds no spans.
    """
    try:
        table = pq.ParquetFile(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise OverbudgetError(
            f"{report.source} cannot be read as Parquet: {str(error).splitlines()[0].rstrip('.')}."
        ) from error
    names = set(table.schema_arrow.names)
    if names >= _OWN:
        report.format = f"{OWN.title}"
        yield from _own(table, beside, report)
    elif names >= _CLICKHOUSE:
        report.format = f"{CLICKHOUSE.title}, Parquet"
        for batch in table.iter_batches(ROWS):
            yield batch_of(clickhouse_columns(batch), report)
    else:
        yield from _rows(table, report)


def _rows(table: pq.ParquetFile, report: FileReport) -> Iterator[SpanBatch]:
    """A table whose rows are records of a format that is known."""
    first = next(iter(table.iter_batches(1)), None)
    record = first.to_pylist()[0] if first is not None and first.num_rows else {}
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
    for batch in table.iter_batches(ROWS):
        yield from batches_of_rows(batch.to_pylist(), form, report)


def _own(table: pq.ParquetFile, beside: Path | None, report: FileReport) -> Iterator[SpanBatch]:
    """The relation `spans` of an export, without the spans that stand for missing parents: those are made anew."""
    events, links = _relation(beside, "span_events", report), _relation(beside, "span_links", report)
    for batch in table.iter_batches(ROWS):
        rows = batch
        if "scope_name" in batch.schema.names:
            rows = batch.filter(pc.fill_null(pc.not_equal(batch.column("scope_name"), MISSING_SCOPE), True))
        column = _columns(rows)
        ids = _ids(rows)
        inner = {"attributes": "attributes", "dropped": "dropped_attributes_count"}
        yield batch_of(
            SpanColumns(
                trace_id=rows.column("trace_id"),
                span_id=rows.column("span_id"),
                parent_id=rows.column("parent_span_id"),
                name=rows.column("name"),
                kind=rows.column("kind"),
                start_ns=rows.column("start_ns"),
                end_ns=rows.column("end_ns"),
                status_code=rows.column("status_code"),
                attributes=rows.column("attributes"),
                resource=rows.column("resource_attributes"),
                status_message=column("status_message"),
                trace_state=column("trace_state"),
                flags=column("flags"),
                scope_name=column("scope_name"),
                scope_version=column("scope_version"),
                scope_attributes=column("scope_attributes"),
                resource_url=column("resource_schema_url"),
                scope_url=column("scope_schema_url"),
                dropped=tuple(column(f"dropped_{what}_count") for what in ("attributes", "events", "links")),
                events=_of_spans(events, ids, {"time_ns": "time_ns", "name": "name", **inner}),
                links=_of_spans(
                    links,
                    ids,
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


def _columns(batch: pa.RecordBatch) -> Callable[[str], pa.Array | None]:
    """The columns of a batch by name; None for one that it does not have."""
    have = set(batch.schema.names)
    return lambda name: batch.column(name) if name in have else None


def _ids(rows: pa.RecordBatch | pa.Table) -> pa.Array:
    return one_array(pc.binary_join_element_wise(rows.column("trace_id"), rows.column("span_id"), ""))


def _relation(beside: Path | None, name: str, report: FileReport) -> pa.Table | None:
    """Another relation of the export, where it lies beside the spans."""
    file = beside / f"{name}.parquet" if beside else None
    if file is None or not file.exists():
        report.warn("events_missing", f"{name}.parquet does not lie beside the spans")
        return None
    return pq.read_table(file)


def _of_spans(table: pa.Table | None, ids: pa.Array, columns: dict[str, str]) -> Inner | None:
    """The events or links of the spans with these ids."""
    if table is None or not table.num_rows:
        return None
    places = one_array(pc.index_in(_ids(table), value_set=ids)).fill_null(-1).to_numpy(zero_copy_only=False)
    here = np.flatnonzero(places >= 0)
    rows = table.take(pa.array(here))
    return Inner(places[here], {name: one_array(rows.column(column)) for name, column in columns.items()})


def clickhouse_columns(batch: pa.RecordBatch) -> SpanColumns:
    """Rows of `otel_traces` as columns of spans."""
    column = _columns(batch)
    start = _ns(batch.column("Timestamp"))
    resource = column("ResourceAttributes")
    return SpanColumns(
        trace_id=batch.column("TraceId"),
        span_id=batch.column("SpanId"),
        parent_id=batch.column("ParentSpanId"),
        name=batch.column("SpanName"),
        kind=_enum(batch.column("SpanKind"), "SPAN_KIND_", KINDS),
        start_ns=start,
        end_ns=pc.add(start, batch.column("Duration").cast(pa.int64())),
        status_code=_enum(batch.column("StatusCode"), "STATUS_CODE_", STATUS_CODES),
        attributes=column("SpanAttributes"),
        resource=_with_service(resource, column("ServiceName")),
        status_message=column("StatusMessage"),
        trace_state=column("TraceState"),
        scope_name=column("ScopeName"),
        scope_version=column("ScopeVersion"),
        events=_nested(batch, "Events", {"time_ns": "Timestamp", "name": "Name", "attributes": "Attributes"}),
        links=_nested(
            batch,
            "Links",
            {"trace_id": "TraceId", "span_id": "SpanId", "trace_state": "TraceState", "attributes": "Attributes"},
        ),
    )


def _ns(times: pa.Array) -> pa.Array:
    """Times as ns since the epoch; numbers are taken to be that."""
    if pa.types.is_timestamp(times.type):
        return times.cast(pa.timestamp("ns", times.type.tz)).cast(pa.int64())
    return times.cast(pa.int64())


def _enum(names: pa.Array, prefix: str, known: Sequence[str]) -> pa.Array:
    """Server, SPAN_KIND_SERVER and SERVER are all SERVER; what is not known is null."""
    text = names.dictionary_decode() if pa.types.is_dictionary(names.type) else names
    coded = text.cast(pa.string()).dictionary_encode()
    plain = pc.replace_substring(pc.utf8_upper(coded.dictionary), prefix, "")
    plain = pc.if_else(pc.is_in(plain, pa.array(known)), plain, pa.scalar(None, pa.string()))
    return plain.take(coded.indices)


def _with_service(resource: pa.Array | None, service: pa.Array | None) -> pa.Array | None:
    """The resources, with service.name where they have none and the row names it."""
    if service is None:
        return resource
    text = (service.dictionary_decode() if pa.types.is_dictionary(service.type) else service).cast(pa.string())
    if resource is None:
        offsets = pa.array(np.arange(len(text) + 1, dtype=np.int32))
        return pa.MapArray.from_arrays(offsets, pa.array(["service.name"] * len(text)), text)
    return resource


def _nested(batch: pa.RecordBatch, nested: str, columns: dict[str, str]) -> Inner | None:
    """A nested column, as lists beside one another (`Events.Name`) or as one list of structures (`Events`)."""
    found: dict[str, pa.Array] = {}
    span: npt.NDArray[np.int64] | None = None
    names = set(batch.schema.names)
    for name, inner in columns.items():
        if f"{nested}.{inner}" in names:
            lists = batch.column(f"{nested}.{inner}")
            values = pc.list_flatten(lists)
        elif nested in names and pa.types.is_list(batch.column(nested).type):
            lists = batch.column(nested)
            values = pc.struct_field(pc.list_flatten(lists), inner)
        else:
            return None
        span = pc.list_parent_indices(lists).to_numpy()
        found[name] = _ns(values) if name == "time_ns" else values
    return Inner(span, found) if span is not None else None
