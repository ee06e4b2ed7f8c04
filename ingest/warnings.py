"""Every warning that ingest reports, by code: what it means, and what to do about it."""

from typing import NamedTuple


class Meaning(NamedTuple):
    means: str
    remedy: str


WARNINGS: dict[str, Meaning] = {
    "bad_id": Meaning("Spans whose ids are numbers, lists or objects; they are left out.", "Fix the exporter that writes them."),
    "bad_time": Meaning("Times that are not nanoseconds since 1970, or are after 2261, and ends more than a year after their start. A span without a start is left out; other such times count as absent.", "Check the unit of the times in the exporter."),
    "base64_ids": Meaning("Ids written in base64, as protobuf's own JSON mapping does; they were read.", ""),
    "clipped": Meaning(
        "Spans that start before their parent in the same service; their time before the parent's start is cut off.",
        "Start the parent's span before the work it covers.",
    ),
    "clock_skew": Meaning(
        "Spans of another service that start before their parent or end after it; analysis shifts them onto its clock.",
        "Synchronise the clocks (NTP) of the machines involved.",
    ),
    "conflicting_duplicate": Meaning(
        "Spans with the ids of another span and different content; the one that ended last is kept.",
        "Look for two exporters of one span, or for client and server sharing a span id.",
    ),
    "cut_off": Meaning("The dump ends in the middle of a record; everything before was read.", "Export it again, or accept the loss."),
    "damaged": Meaning("The compressed data is damaged from some point on; everything before was read. Of Parquet the damaged row groups are left out.", "Copy the file again."),
    "duplicate_span": Meaning("Spans that were sent twice; each is stored once.", ""),
    "enum_names": Meaning("Names where OTLP/JSON requires numbers (kind, status code); they were read.", ""),
    "evaluation_without_span": Meaning(
        "Results of evaluations among log records that name no span of the dataset; they are left out.",
        "Ingest them together with their traces, or write the ids of the span that is judged.",
    ),
    "events_missing": Meaning(
        "The export of overbudget has spans without their events or links, which are separate files.",
        "Ingest spans.parquet where overbudget export wrote it, with span_events.parquet and span_links.parquet next to it.",
    ),
    "invalid_utf8": Meaning("Text that is not UTF-8; the wrong bytes are shown as U+FFFD.", "Find the instrumentation that cuts text by bytes."),
    "long_value": Meaning(
        "Attribute values that are longer than the limit value_bytes; they are cut, with a mark that says how long they were.",
        "Raise the limit if the whole text is needed.",
    ),
    "many_attributes": Meaning(
        "Lists of more attributes than the limit attributes; the first ones are kept.", "Raise the limit if all are needed."
    ),
    "negative_duration": Meaning("Spans that end before they start; they count as having no length.", "Use a monotonic clock for durations."),
    "adopted_tool": Meaning(
        "Tool calls recorded as siblings of the model call that waited for them; they count as its children.",
        "Start the tool's span in the context of the model call that asked for it.",
    ),
    "no_end": Meaning(
        "Spans without an end; the latest end below them is used. Their requests are incomplete.",
        "End spans even when a request fails, and let the export wait for that.",
    ),
    "no_id": Meaning("Spans without a trace id or span id; they are left out.", "Fix the exporter that writes them."),
    "no_root": Meaning(
        "Traces without a root span: their caller is outside the dump. Their topmost SERVER and CONSUMER spans count as "
        "requests; where there are none, every missing parent counts as an incomplete request.",
        "Ingest the caller's export too, or make sure that the root span is ended and exported.",
    ),
    "no_service_name": Meaning("Resources without service.name; their spans count as unknown_service.", "Set OTEL_SERVICE_NAME."),
    "no_start": Meaning("Spans without a start; they are left out.", "Fix the exporter that writes them."),
    "not_a_dump": Meaning("Files in the archive or folder that are not dumps of traces; they are skipped.", ""),
    "orphan_span": Meaning(
        "Spans whose parent is not in the data; their requests are incomplete and left out of percentiles.",
        "Check sampling and context propagation, or whether the dump was cut at a time boundary.",
    ),
    "other_signals": Meaning("Records of metrics or logs among those of traces; they are skipped, except results of evaluations.", ""),
    "partial_trace": Meaning("The query API returned only a part of a trace.", "Raise its limit, or export from the collector."),
    "relative_times": Meaning(
        "Traces whose times count from their own start instead of 1970. They were read as if they began on 1970-01-01: durations "
        "are right, how many requests ran at once is not.",
        "Do not read load, queues or changes over time from this dataset.",
    ),
    "repeated_key": Meaning("Attribute lists that name a key twice; the last one counts.", ""),
    "text_ids": Meaning(
        "Ids that are not 32 and 16 hexadecimal digits. Dashes are dropped and missing zeros put in front; any other text gets "
        "an id made from it, the same wherever it occurs, and is kept in the attributes recorded.trace_id and recorded.span_id. "
        "overbudget trace finds a trace by either.",
        "",
    ),
    "unknown_enum": Meaning("Numbers for kind or status code that OTLP does not define; they are kept as text.", ""),
    "unreadable_attribute": Meaning("Attributes whose value cannot be read; it is left empty, and so is what is nested too deep in a value.", "Fix the exporter that writes them."),
    "unreadable_event": Meaning("Events of spans that cannot be read; they are left out, their spans kept.", "Fix the exporter that writes them."),
    "unreadable_link": Meaning("Links of spans that cannot be read; they are left out, their spans kept.", "Fix the exporter that writes them."),
    "unreadable_record": Meaning("Records that are not OTLP; they are left out.", "Look at the example: is the dump mixed with other output?"),
    "unusable_number": Meaning(
        "Model calls that record tokens, a cost or a time to the first token that cannot be meant: no number, NaN, infinite, "
        "negative, or a time longer than the call. That number is left out.",
        "Fix the instrumentation that records it.",
    ),
    "unreadable_value": Meaning("Values of a table that are not what their column is for, such as a negative count; they count as absent.", "Fix what writes the table."),
    "unreadable_span": Meaning("Spans with values of the wrong type; they are left out.", "Fix the exporter that writes them."),
}  # fmt: skip


def meaning(code: str) -> Meaning:
    """What a code means and what to do about it."""
    return WARNINGS[code]
