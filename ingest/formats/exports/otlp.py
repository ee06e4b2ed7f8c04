"""Records of OTLP/JSON made from Python values, for the readers of other formats."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import orjson

Record = dict[str, Any]
INT64 = 2**63


def attributes(given: Any) -> list[Record]:
    """The attributes in an object of plain values. Nulls, and what is no object, say nothing."""
    if not isinstance(given, dict):
        return []
    return [{"key": str(key), "value": any_value(value)} for key, value in given.items() if value is not None]


def any_value(value: Any) -> Record:
    """A JSON value as an AnyValue; lists of plain values stay lists, everything else that is nested becomes JSON text."""
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)} if -INT64 <= value < INT64 else {"stringValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value} if math.isfinite(value) else {"stringValue": str(value)}
    if isinstance(value, list) and not any(isinstance(one, list | dict) or one is None for one in value):
        return {"arrayValue": {"values": [any_value(one) for one in value]}}
    return {"stringValue": json_text(value)}


def json_text(value: Any) -> str:
    """A value as it stands in an attribute of text: text as it is, everything else as compact JSON."""
    if isinstance(value, str):
        return value
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_SUBCLASS, default=str).decode()


def flattened(given: Any, before: str = "") -> Record:
    """Nested objects as one with dotted keys, lists of objects with their places (llm.input_messages.0.message.role)."""
    out: Record = {}
    for key, value in given.items() if isinstance(given, dict) else enumerate(given):
        if (isinstance(value, dict) and value) or (
            isinstance(value, list) and value and all(isinstance(one, dict) for one in value)
        ):
            out.update(flattened(value, f"{before}{key}."))
        else:
            out[f"{before}{key}"] = value
    return out


def text(value: Any) -> str:
    """Text; "" for null, JSON for what is none."""
    return "" if value is None else json_text(value)


def object_of(value: Any) -> Record:
    """An object; an empty one for what is none."""
    return value if isinstance(value, dict) else {}


def objects_of(value: Any) -> list[Record]:
    """The objects in a list; none where it is no list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def events(given: Any, time: str, time_ns: Callable[[Any], Any]) -> list[Record]:
    """Events with plain attributes; `time_ns` reads what stands under `time`."""
    return [
        {
            "name": text(event.get("name")),
            "timeUnixNano": time_ns(event.get(time)),
            "attributes": attributes(event.get("attributes")),
        }
        for event in objects_of(given)
    ]


class Grouped:
    """Spans put under their resource and scope, each written once."""

    def __init__(self) -> None:
        self._resources: dict[bytes, tuple[list[Record], dict[tuple[str, str], list[Record]]]] = {}

    def spans_in(self, value: Any) -> list[Record]:
        """The objects in a list of spans; what else stands in it becomes a span that the reader of OTLP rejects."""
        for one in value if isinstance(value, list) else ():
            if not isinstance(one, dict):
                self.add(one, {})
        return objects_of(value)

    def rows_of(self, record: Record, page: str = "data") -> list[Record]:
        """The records of a page, which are in a list under `page`; the record itself where it is no page."""
        return self.spans_in(record[page]) if isinstance(record.get(page), list) else [record]

    def add(self, span: Any, resource: Record, scope: str = "", version: str = "") -> None:
        """A span of OTLP/JSON; `resource` are the attributes of its resource as plain values."""
        key = orjson.dumps(resource, option=orjson.OPT_NON_STR_KEYS, default=str)
        if key not in self._resources:
            self._resources[key] = (attributes(resource), {})
        self._resources[key][1].setdefault((scope, version), []).append(span)

    def resource_spans(self) -> list[Record]:
        """The resource spans of all that was added."""
        return [
            {
                "resource": {"attributes": resource},
                "scopeSpans": [
                    {"scope": {"name": name, "version": version}, "spans": spans}
                    for (name, version), spans in scopes.items()
                ],
            }
            for resource, scopes in self._resources.values()
        ]


def only_one(values: Iterable[Any]) -> Any:
    """The first value that is there; None where there is none."""
    return next((value for value in values if value not in (None, "")), None)
