"""What every reader yields: flat spans as Arrow columns, with their resources, scopes, events and links.

A reader of a format knows nothing of DuckDB; the pipeline knows nothing of formats. This is where they meet.
"""

from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa

# Attributes of anything: keys unique within one list (the last of a repeated key wins), values as text.
# Integers as decimal text, doubles as shortest text that stays a double ("1.0", "NaN", "Infinity"), booleans
# "true"/"false", bytes as base64, lists and maps as compact JSON text, an empty AnyValue as null.
ATTRIBUTES = pa.list_(
    pa.struct([pa.field("key", pa.dictionary(pa.int32(), pa.string())), pa.field("value", pa.string())])
)

# One row per span, in document order. Every row has valid ids and a start: readers reject other spans.
SPANS = pa.schema(
    [
        ("trace_id", pa.string()),  # 32 lower-case hex digits
        ("span_id", pa.string()),  # 16 lower-case hex digits
        ("parent_span_id", pa.string()),  # null at a root
        ("trace_state", pa.string()),  # "" where absent
        ("flags", pa.uint32()),
        ("name", pa.dictionary(pa.int32(), pa.string())),
        # UNSPECIFIED INTERNAL SERVER CLIENT PRODUCER CONSUMER, or an unknown number as text
        ("kind", pa.dictionary(pa.int32(), pa.string())),
        ("start_ns", pa.int64()),
        ("end_ns", pa.int64()),  # null where the dump has none
        ("status_code", pa.dictionary(pa.int32(), pa.string())),  # UNSET OK ERROR, or an unknown number as text
        ("status_message", pa.string()),  # "" where absent
        ("attributes", ATTRIBUTES),
        ("dropped_attributes_count", pa.uint32()),
        ("dropped_events_count", pa.uint32()),
        ("dropped_links_count", pa.uint32()),
        ("resource", pa.int32()),  # row in `resources`
        ("scope", pa.int32()),  # row in `scopes`
    ]
)
RESOURCES = pa.schema([("attributes", ATTRIBUTES), ("schema_url", pa.string())])
SCOPES = pa.schema(
    [("name", pa.string()), ("version", pa.string()), ("attributes", ATTRIBUTES), ("schema_url", pa.string())]
)
EVENTS = pa.schema(
    [
        ("span", pa.int32()),  # row in `spans`
        ("time_ns", pa.int64()),  # null where absent
        ("name", pa.string()),
        ("attributes", ATTRIBUTES),
        ("dropped_attributes_count", pa.uint32()),
    ]
)
LINKS = pa.schema(
    [
        ("span", pa.int32()),  # row in `spans`
        ("linked_trace_id", pa.string()),  # "" where absent
        ("linked_span_id", pa.string()),
        ("trace_state", pa.string()),
        ("flags", pa.uint32()),
        ("attributes", ATTRIBUTES),
        ("dropped_attributes_count", pa.uint32()),
    ]
)


class Evaluation(NamedTuple):
    """What a log record says of the span with these ids, or, without them, of the call that gave the response; "" for no id."""

    trace_id: str
    span_id: str
    response_id: str
    time_ns: int  # 0 where absent
    attributes: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class SpanBatch:
    """Some spans of a dump (at most a few hundred thousand), each table with the schema of its name above. `evaluations` may be
    of spans in other batches, and dumps."""

    spans: pa.Table
    resources: pa.Table
    scopes: pa.Table
    events: pa.Table
    links: pa.Table
    evaluations: tuple[Evaluation, ...] = ()
