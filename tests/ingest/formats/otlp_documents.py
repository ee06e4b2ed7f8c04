"""Random OTLP messages, the spans they hold read in the plainest way, and the JSON that exporters make of them."""

import base64
import json
import math
from typing import Any

from google.protobuf.message import Message
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from overbudget.kernels.columns import LONGEST, TOO_LATE

TEXT = st.one_of(
    st.sampled_from(["", "a", "service.name", "gen_ai.request.model", "12345678", "a longer name, of 32 characters!"]),
    st.text(max_size=40),
    st.text(alphabet='"\\/\b\n\t\x00\x1fé中😀', max_size=12),
)
INT64 = st.one_of(st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1), st.sampled_from([10**k for k in range(19)]))
UINT32 = st.one_of(st.integers(0, 3), st.integers(0, 2**32 - 1))
TIME = st.one_of(st.just(0), st.integers(1, TOO_LATE - 1))
ID16, ID8 = (st.binary(min_size=size, max_size=size) for size in (16, 8))
DOUBLE = st.floats(allow_nan=False, allow_infinity=False)


def _plain_value() -> st.SearchStrategy[AnyValue]:
    return st.one_of(
        st.just(AnyValue()),
        st.builds(AnyValue, string_value=TEXT),
        st.builds(AnyValue, bool_value=st.booleans()),
        st.builds(AnyValue, int_value=INT64),
        st.builds(AnyValue, double_value=DOUBLE),
        st.builds(AnyValue, bytes_value=st.binary(max_size=9)),
    )


def _list_of(inner: st.SearchStrategy[AnyValue]) -> st.SearchStrategy[AnyValue]:
    return st.builds(lambda values: AnyValue(array_value={"values": values}), st.lists(inner, max_size=3))


def _map_of(inner: st.SearchStrategy[AnyValue]) -> st.SearchStrategy[AnyValue]:
    entries = st.lists(st.builds(KeyValue, key=TEXT, value=inner), max_size=3, unique_by=lambda entry: entry.key)
    return st.builds(lambda values: AnyValue(kvlist_value={"values": values}), entries)


VALUE = st.recursive(_plain_value(), lambda inner: st.one_of(_list_of(inner), _map_of(inner)), max_leaves=4)
ATTRIBUTES = st.lists(st.builds(KeyValue, key=TEXT, value=VALUE), max_size=4)


@st.composite
def _span(draw: st.DrawFn) -> dict[str, Any]:
    start = draw(st.integers(1, TOO_LATE - 1))
    return {
        "trace_id": draw(ID16.filter(any)),
        "span_id": draw(ID8.filter(any)),
        "parent_span_id": draw(st.one_of(st.just(b""), ID8)),
        "trace_state": draw(TEXT),
        "flags": draw(UINT32),
        "name": draw(TEXT),
        "kind": draw(st.integers(0, 5)),
        "start_time_unix_nano": start,
        "end_time_unix_nano": draw(st.one_of(st.just(0), st.integers(1, min(start + LONGEST, TOO_LATE - 1)))),
        "attributes": draw(ATTRIBUTES),
        "status": {"code": draw(st.integers(0, 2)), "message": draw(TEXT)},
        "events": draw(
            st.lists(
                st.fixed_dictionaries(
                    {"time_unix_nano": TIME, "name": TEXT, "attributes": ATTRIBUTES, "dropped_attributes_count": UINT32}
                ),
                max_size=2,
            )
        ),
        "links": draw(
            st.lists(
                st.fixed_dictionaries(
                    {"trace_id": ID16, "span_id": ID8, "trace_state": TEXT, "flags": UINT32, "attributes": ATTRIBUTES}
                ),
                max_size=2,
            )
        ),
        "dropped_attributes_count": draw(UINT32),
        "dropped_events_count": draw(UINT32),
        "dropped_links_count": draw(UINT32),
    }


def messages() -> st.SearchStrategy[TracesData]:
    """Messages with a few resources, scopes and spans; every span has ids and a start."""
    scope = st.fixed_dictionaries({"name": TEXT, "version": TEXT, "attributes": ATTRIBUTES})
    scope_spans = st.fixed_dictionaries({"scope": scope, "spans": st.lists(_span(), max_size=3), "schema_url": TEXT})
    resource = st.fixed_dictionaries({"attributes": ATTRIBUTES})
    resource_spans = st.fixed_dictionaries(
        {"resource": resource, "scope_spans": st.lists(scope_spans, max_size=2), "schema_url": TEXT}
    )
    return st.builds(lambda spans: TracesData(resource_spans=spans), st.lists(resource_spans, min_size=1, max_size=2))


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_plain(one) for one in value.array_value.values]
    if kind == "kvlist_value":
        return {entry.key: _plain(entry.value) for entry in value.kvlist_value.values}
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    return getattr(value, kind) if kind else None


def _text(value: Any) -> Any:
    plain = _plain(value)
    if isinstance(plain, bool):
        return "true" if plain else "false"
    return str(plain) if isinstance(plain, int) else plain


def _attributes(attributes: Any) -> dict[str, Any]:
    return {entry.key: _text(entry.value) for entry in attributes}


def expected_rows(message: TracesData) -> list[dict[str, Any]]:
    """The spans of a message, each with its resource, scope, events and links. Lists, maps and doubles are Python's."""
    return [
        {
            "resource": [_attributes(resource.resource.attributes), resource.schema_url],
            "scope": [scope.scope.name, scope.scope.version, _attributes(scope.scope.attributes), scope.schema_url],
            "ids": [
                span.trace_id.hex(),
                span.span_id.hex(),
                span.parent_span_id.hex() if any(span.parent_span_id) else None,
            ],
            "times": [span.start_time_unix_nano, span.end_time_unix_nano or None],
            "texts": [span.name, span.trace_state, span.status.message],
            "numbers": [
                span.flags,
                span.dropped_attributes_count,
                span.dropped_events_count,
                span.dropped_links_count,
            ],
            "kind": ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"][span.kind],
            "status": ["UNSET", "OK", "ERROR"][span.status.code],
            "attributes": _attributes(span.attributes),
            "events": [
                [
                    event.time_unix_nano or None,
                    event.name,
                    _attributes(event.attributes),
                    event.dropped_attributes_count,
                ]
                for event in span.events
            ],
            "links": [
                [
                    link.trace_id.hex() if any(link.trace_id) else "",
                    link.span_id.hex() if any(link.span_id) else "",
                    link.trace_state,
                    link.flags,
                    _attributes(link.attributes),
                ]
                for link in span.links
            ],
        }
        for resource in message.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def same(stored: Any, expected: Any) -> bool:
    """Whether what was stored, with values as text, is what was expected."""
    if isinstance(expected, dict):
        return stored.keys() == expected.keys() and all(_same_value(stored[key], expected[key]) for key in expected)
    if isinstance(expected, list):
        return len(stored) == len(expected) and all(same(a, b) for a, b in zip(stored, expected, strict=True))
    return bool(stored == expected)


def _same_value(stored: str | None, expected: Any) -> bool:
    if isinstance(expected, float):
        return stored is not None and not stored.lstrip("-").isdecimal() and _same_double(float(stored), expected)
    if isinstance(expected, list | dict):
        return stored is not None and json.loads(stored) == expected and list(json.loads(stored)) == list(expected)
    return bool(stored == expected)


def _same_double(a: float, b: float) -> bool:
    return a == b and math.copysign(1, a) == math.copysign(1, b)


def json_value(value: Any, style: "Style") -> Any:
    """An AnyValue in protobuf's JSON mapping."""
    kind = value.WhichOneof("value")
    if kind is None:
        return {}
    if kind == "array_value":
        return {style.key("array_value"): {"values": [json_value(one, style) for one in value.array_value.values]}}
    if kind == "kvlist_value":
        values = [{"key": one.key, "value": json_value(one.value, style)} for one in value.kvlist_value.values]
        return {style.key("kvlist_value"): {"values": values}}
    plain = getattr(value, kind)
    if kind == "bytes_value":
        plain = base64.b64encode(plain).decode()
    return {style.key(kind): style.int64(plain) if kind == "int_value" else plain}


class Style:
    """How an exporter writes JSON."""

    def __init__(self, snake_case: bool, numbers: bool, ascii_only: bool, indent: int | None, extras: bool) -> None:
        self.snake_case, self.numbers, self.ascii_only = snake_case, numbers, ascii_only
        self.indent, self.extras = indent, extras

    def key(self, name: str) -> str:
        first, *rest = name.split("_")
        return name if self.snake_case else first + "".join(part.capitalize() for part in rest)

    def int64(self, number: int) -> Any:
        return number if self.numbers else str(number)

    def document(self, message: TracesData) -> str:
        return json.dumps(self._message(message), indent=self.indent, ensure_ascii=self.ascii_only)

    def _message(self, message: Message) -> dict[str, Any]:
        if isinstance(message, AnyValue):
            return json_value(message, self)  # type: ignore[no-any-return]
        out: dict[str, Any] = {}
        for descriptor, value in message.ListFields():
            if descriptor.message_type is not None:
                repeated = not isinstance(value, Message)
                found: Any = [self._message(one) for one in value] if repeated else self._message(value)
            elif isinstance(value, bytes):
                found = value.hex()
            else:
                found = self.int64(value) if descriptor.cpp_type in (2, 4) else value
            out[self.key(descriptor.name)] = found
        if self.extras:
            out = {"unheard_of": {"a": [1, {"b": 'x"]}'}, None, True]}, **dict(reversed(out.items())), "x": -1.5e3}
        return out


STYLES = st.builds(Style, st.booleans(), st.booleans(), st.booleans(), st.sampled_from([None, None, 1]), st.booleans())
