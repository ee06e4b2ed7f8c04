"""Nested Arrow (resource spans → scope spans → spans), as JSON and protobuf are read, becomes a flat span batch."""

import re
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest.batch import EVENTS, LINKS, RESOURCES, SCOPES, SPANS, SpanBatch
from ingest.flatten import ID_OK, attribute_lists, child, flat, keep_usable, offsets_of
from ingest.report import FileReport

KINDS = pa.array(["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"])
STATUS_CODES = pa.array(["UNSET", "OK", "ERROR"])


class Form(Protocol):
    """How one encoding of OTLP writes things; every method may refuse what it cannot read by an exception of its own."""

    snake_case: bool

    def check(self, level: str, struct: pa.StructArray) -> None:
        """Look for fields of `level` ("resource_spans", "spans", …) that must not be passed over."""

    def ids(self, column: pa.Array, digits: int) -> tuple[pa.StringArray, npt.NDArray[np.uint8]]:
        """Ids as lower-case hex, and what each turned out to be (see flatten.check_ids)."""

    def times(self, column: pa.Array, report: FileReport | None) -> npt.NDArray[np.int64]:
        """ns since the epoch, 0 where absent; where a report is given, one that does not fit is reported as absent."""

    def values(self, value: pa.StructArray) -> pa.StringArray:
        """AnyValues as text; null where the value is empty."""


def flatten(records: pa.ListArray, form: Form, report: FileReport) -> SpanBatch:
    """The spans of records, each a list of resource spans; spans without usable ids or start are rejected."""
    _, resource_spans = flat(records)
    form.check("resource_spans", resource_spans)
    resource_of_scope, scope_spans = flat(_get(resource_spans, "scopeSpans", form))
    form.check("scope_spans", scope_spans)
    scope_of_span, spans = flat(_get(scope_spans, "spans", form))
    form.check("spans", spans)

    resource = _get(resource_spans, "resource", form)
    resources = [_attributes(resource, form, report), _text(_get(resource_spans, "schemaUrl", form))]
    scope = _get(scope_spans, "scope", form)
    scopes = [
        *(_text(_get(scope, name, form)) for name in ("name", "version")),
        _attributes(scope, form, report),
        _text(_get(scope_spans, "schemaUrl", form)),
    ]
    trace_id, trace_what = form.ids(_get(spans, "traceId", form), 32)
    span_id, span_what = form.ids(_get(spans, "spanId", form), 16)
    parent_id, parent_what = form.ids(_get(spans, "parentSpanId", form), 16)
    start = form.times(_get(spans, "startTimeUnixNano", form), None)
    end = form.times(_get(spans, "endTimeUnixNano", form), report)
    status = _get(spans, "status", form)
    columns = [
        trace_id,
        span_id,
        pc.if_else(pa.array(parent_what != ID_OK), pa.scalar(None, pa.string()), parent_id),
        _text(_get(spans, "traceState", form)),
        _count(_get(spans, "flags", form)),
        _text(_get(spans, "name", form)).dictionary_encode(),
        _enum(_get(spans, "kind", form), KINDS, "kind", report),
        pa.array(start),
        pa.array(end, mask=end == 0),
        _enum(_get(status, "code", form), STATUS_CODES, "status code", report),
        _text(_get(status, "message", form)),
        _attributes(spans, form, report),
        *(_count(_get(spans, f"dropped{what}Count", form)) for what in ("Attributes", "Events", "Links")),
        pa.array(resource_of_scope[scope_of_span]),
        pa.array(scope_of_span),
    ]
    batch = SpanBatch(
        pa.table(columns, schema=SPANS),
        pa.table(resources, schema=RESOURCES),
        pa.table(scopes, schema=SCOPES),
        _events(*flat(_get(spans, "events", form)), form, report),
        _links(*flat(_get(spans, "links", form)), form, report),
    )
    return keep_usable(batch, trace_what, span_what, parent_what, start, report)


def _snake(name: str) -> str:
    return re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), name)


def _get(struct: pa.StructArray, name: str, form: Form) -> pa.Array:
    return child(struct, _snake(name) if form.snake_case else name)


def _text(column: pa.Array) -> pa.StringArray:
    """Text without nulls."""
    return column.fill_null("") if column.null_count else column


def _count(column: pa.Array) -> pa.UInt32Array:
    """A 32-bit count, 0 where absent. Errors: pa.ArrowInvalid where one does not fit."""
    return column.fill_null(0).cast(pa.uint32())


def _enum(column: pa.Array, names: pa.StringArray, what: str, report: FileReport) -> pa.DictionaryArray:
    """Names of an enumeration's numbers; unknown numbers are kept as text."""
    numbers = column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    known = (numbers >= 0) & (numbers < len(names))
    if known.all():
        return pa.DictionaryArray.from_arrays(pa.array(numbers.astype(np.int32)), names)
    odd, codes = np.unique(numbers[~known], return_inverse=True)
    report.warn("unknown_enum", f"{what} {odd[0]}", int((~known).sum()))
    indices = numbers.astype(np.int32)
    indices[~known] = len(names) + codes
    return pa.DictionaryArray.from_arrays(pa.array(indices), pa.concat_arrays([names, pa.array(odd).cast(pa.string())]))


def _attributes(owner: pa.StructArray, form: Form, report: FileReport) -> pa.ListArray:
    """The ATTRIBUTES of structs that have a list of key and AnyValue."""
    owners, entries = flat(child(owner, "attributes"))
    keys = _text(child(entries, "key"))
    lists, dropped = attribute_lists(offsets_of(owners, len(owner)), keys, form.values(child(entries, "value")))
    report.warn("repeated_key", "an attribute list names a key twice; the last one counts", dropped)
    return lists


def _events(owner: npt.NDArray[np.int32], events: pa.StructArray, form: Form, report: FileReport) -> pa.Table:
    if len(events) == 0:
        return EVENTS.empty_table()
    form.check("events", events)
    times = form.times(_get(events, "timeUnixNano", form), report)
    columns = [
        pa.array(owner),
        pa.array(times, mask=times == 0),
        _text(_get(events, "name", form)),
        _attributes(events, form, report),
        _count(_get(events, "droppedAttributesCount", form)),
    ]
    return pa.table(columns, schema=EVENTS)


def _links(owner: npt.NDArray[np.int32], links: pa.StructArray, form: Form, report: FileReport) -> pa.Table:
    if len(links) == 0:
        return LINKS.empty_table()
    form.check("links", links)
    ids = []
    for name, digits in (("traceId", 32), ("spanId", 16)):
        found, what = form.ids(_get(links, name, form), digits)
        ids.append(pc.if_else(pa.array(what == ID_OK), found, ""))
    columns = [
        pa.array(owner),
        *ids,
        _text(_get(links, "traceState", form)),
        _count(_get(links, "flags", form)),
        _attributes(links, form, report),
        _count(_get(links, "droppedAttributesCount", form)),
    ]
    return pa.table(columns, schema=LINKS)
