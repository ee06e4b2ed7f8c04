"""Records of any format as OTLP/JSON text, for its reader."""

import json
from collections.abc import Iterable
from typing import Any

import orjson

from overbudget.ingest.formats.catalogue import OTLP, RESOURCE_SPANS, SPANS, Format, format_of, refusal
from overbudget.ingest.formats.json.depth import DEEPEST, LEFT_OUT
from overbudget.ingest.formats.json.parse import parsed
from overbudget.ingest.formats.writable import writable
from overbudget.ingest.report import FileReport

Record = dict[str, Any]
_AROUND = 20  # levels that OTLP has around a value
_UNTRANSLATABLE = (TypeError, ValueError, AttributeError, KeyError, IndexError, OverflowError, RecursionError)


def wrapped(piece: bytes, form: Format) -> bytes | None:
    """Lines of OTLP without its envelope with one put around them, unseen; None where it takes a look at each line."""
    lines = [line for line in piece.split(b"\n") if line.strip()]
    if form is RESOURCE_SPANS:
        return b"".join(b'{"resourceSpans":[' + line + b"]}\n" for line in lines)
    if form is SPANS and not any(
        f'"{key}"'.encode() in piece for key in ("resource", "scope", "serviceName", "service", "spans")
    ):
        return b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + b",".join(lines) + b"]}]}]}"
    return None


def translated(piece: bytes, form: Format, report: FileReport) -> bytes:
    """Lines of JSON as lines of OTLP/JSON. Most are of `form`; lines of no known format stay as they are."""
    by_format: dict[str, tuple[Format, list[Record]]] = {}
    out = []
    for line in piece.split(b"\n"):
        if not line.lstrip().startswith(b"{"):
            out += [line] if line.strip() else []  # no record of any format
            continue
        told, deep = FileReport(report.source), 0
        try:
            record, deep = parsed(line, told)
        except json.JSONDecodeError:
            record = None
        found = form if isinstance(record, dict) and form.is_one and form.is_one(record) else format_of(record)
        if found is None or found is OTLP or found.resource_spans is None:
            out.append(line)
        else:
            report.absorb(told)
            warn_of_depths(record, deep, report)
            by_format.setdefault(found.name, (found, []))[1].append(record)
    for found, records in by_format.values():
        out += lines_of(found, records, report)
    return b"\n".join(out)


def resource_spans_of(record: Record, report: FileReport) -> Iterable[list[Record]]:
    """The resource spans of a record that is not OTLP, in a list; empty, and reported, where it has none."""
    form = format_of(record)
    if form is None:
        report.warn("unreadable_record", f"no spans in an object with the keys {', '.join(list(record)[:6])}")
    elif form.resource_spans is None:
        report.warn("unreadable_record", refusal(form) if form.instead else form.name)
    else:
        yield [one for line in lines_of(form, [record], report) for one in orjson.loads(line)["resourceSpans"]]


def warn_of_depths(record: Any, deep: int, report: FileReport) -> None:
    """Report `deep` values that were left out of a document, where no other reader sees that its attribute is nested too deep."""
    form = format_of(record) if deep else None
    if form is not None and form.resource_spans is not None and form is not RESOURCE_SPANS:
        report.warn("unreadable_attribute", LEFT_OUT, deep)


def lines_of(form: Format, records: list[Record], report: FileReport) -> list[bytes]:
    """Records of one format as one OTLP/JSON document. Values that JSON cannot hold are replaced and reported; if a record
    cannot be translated all the same, one document for each of the others.
    """
    assert form.resource_spans is not None
    try:
        return [orjson.dumps({"resourceSpans": form.resource_spans(records)})]
    except _UNTRANSLATABLE:
        told = FileReport(report.source)
    try:
        found = form.resource_spans([writable(record, told) for record in records])
        line = orjson.dumps(writable({"resourceSpans": found}, told, DEEPEST + _AROUND))
    except _UNTRANSLATABLE as error:
        if len(records) == 1:
            report.warn(
                "unreadable_record", f"a record of {form.name} with a value that is none ({type(error).__name__})"
            )
            return []
        return [line for record in records for line in lines_of(form, [record], report)]
    if form is RESOURCE_SPANS:
        told.take_back("unreadable_attribute", told.count_of("unreadable_attribute"))  # their reader reports them
    report.absorb(told)
    return [line]
