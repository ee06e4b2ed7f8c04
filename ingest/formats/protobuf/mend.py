"""Protobuf messages in which an attribute, an event or a link cannot be read: it is left out, so that it costs itself alone."""

from overbudget.ingest.formats.json.values import MOST_LEVELS
from overbudget.ingest.formats.protobuf.wire import BYTES, Field, field_of, fields
from overbudget.ingest.report import FileReport

# Per kind of message, the fields that hold another one, and its kind.
_INSIDE: dict[str, dict[int, str]] = {
    "traces": {1: "resource spans"},
    "resource spans": {1: "resource", 2: "scope spans"},
    "resource": {1: "attribute"},
    "scope spans": {1: "scope", 2: "span"},
    "scope": {3: "attribute"},
    "span": {9: "attribute", 11: "event", 13: "link", 15: "status"},
    "event": {3: "attribute"},
    "link": {4: "attribute"},
    "status": {},
}
# What can be left out, and under which code that is counted; the message around any other is lost with it.
_CODES = {
    "event": "unreadable_event",
    "link": "unreadable_link",
    "status": "unreadable_attribute",
    "resource": "unreadable_record",
    "scope": "unreadable_record",
}
_KEY, _VALUE, _ITEMS = 1, 2, 1  # fields of an attribute, and of a list or map
_LIST, _MAP = 5, 6  # kinds of value


def mended(message: bytes, report: FileReport) -> bytes | None:
    """A TracesData message without what cannot be read in it, which is reported; None where that is a span, or nothing."""
    told = FileReport(report.source)
    try:
        out = _mended(message, "traces", told)
    except ValueError:
        return None
    if out == message:
        return None
    report.absorb(told)
    return out


def _whole(data: bytes) -> list[Field]:
    """The fields of a message. Errors: ValueError where it is none, or the last one reaches beyond it."""
    found = list(fields(data))
    if found and found[-1].end > len(data):
        raise ValueError("not a whole message")
    return found


def _mended(data: bytes, kind: str, report: FileReport) -> bytes:
    """Errors: ValueError where it is no message of its kind."""
    out = []
    for field in _whole(data):
        inner = _INSIDE[kind].get(field.number) if field.wire == BYTES else None
        value: bytes | None = data[field.start : field.end]
        if inner is None:
            out.append(data[field.tag : field.end])
            continue
        if inner == "attribute":
            value = _attribute(data[field.start : field.end], report)
        else:
            try:
                value = _mended(data[field.start : field.end], inner, report)
            except ValueError:
                if inner not in _CODES:
                    raise
                report.warn(_CODES[inner], f"the {inner} of a span: bytes that are no protobuf")
                value = None
        out += [field_of(field.number, value)] if value is not None else []
    return b"".join(out)


def _attribute(data: bytes, report: FileReport) -> bytes | None:
    """A KeyValue as it is; without its value where that cannot be read; None where it has no key either."""
    found: list[Field] = []
    try:
        for field in fields(data):
            found.append(field)
        sound = not found or found[-1].end <= len(data)
    except ValueError:
        sound = False
    parts = {
        field.number: data[field.start : field.end] for field in found if field.wire == BYTES and field.end <= len(data)
    }
    if sound and _is_sound(parts.get(_VALUE, b""), MOST_LEVELS):
        return data
    key = parts.get(_KEY)
    name = "an attribute" if key is None else key.decode("utf-8", "replace")[:60]
    report.warn("unreadable_attribute", f"{name}: a value that is no protobuf, or more than {MOST_LEVELS} levels deep")
    return None if key is None else field_of(_KEY, key)


def _is_sound(value: bytes, levels: int) -> bool:
    """Whether bytes are an AnyValue that is nested no deeper than `levels`."""
    if levels < 0:
        return False
    try:
        for field in _whole(value):
            if field.wire != BYTES or field.number not in (_LIST, _MAP):
                continue
            inside = value[field.start : field.end]
            items = [
                inside[item.start : item.end] for item in _whole(inside) if item.number == _ITEMS and item.wire == BYTES
            ]
            if field.number == _MAP:
                items = [
                    one[item.start : item.end]
                    for one in items
                    for item in _whole(one)
                    if item.number == _VALUE and item.wire == BYTES
                ]
            if not all(_is_sound(item, levels - 1) for item in items):
                return False
    except ValueError:
        return False
    return True
