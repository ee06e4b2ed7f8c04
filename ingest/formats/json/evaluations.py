"""Results of evaluations among log records: OpenTelemetry writes its events as logs, and these judge a span.

Source: semantic conventions for generative AI, event `gen_ai.evaluation.result`, read 2026-11-25.
"""

import json
from collections.abc import Iterator
from typing import Any

from overbudget.ingest.batch import Evaluation
from overbudget.ingest.formats.json.parse import parsed
from overbudget.ingest.formats.json.values import Unusable, identifier, instant, plain_of, text_of
from overbudget.ingest.report import FileReport
from overbudget.kernels.columns import TOO_LATE
from overbudget.kernels.text_ids import id_of_text

EVENT = "gen_ai.evaluation.result"
MARK = EVENT.encode()


def evaluations_of(piece: bytes, report: FileReport) -> tuple[list[Evaluation], int]:
    """The evaluations in a piece of JSON lines, and how many of its records hold nothing else."""
    found: list[Evaluation] = []
    whole = 0
    if MARK not in piece:
        return found, whole
    for line in piece.split(b"\n"):
        if MARK not in line:
            continue
        try:
            record, _ = parsed(line, FileReport(report.source))
        except json.JSONDecodeError:
            continue  # is reported where spans are read
        if not isinstance(record, dict):
            continue
        logs = list(_log_records(record))
        judged = [evaluation for log in logs if (evaluation := _evaluation(log, report)) is not None]
        found += judged
        whole += len(judged) == len(logs) and not {"resourceSpans", "resource_spans"} & set(record)
    return found, whole


def _log_records(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The log records in an export of logs."""
    for resource in _lists(record, "resourceLogs", "resource_logs"):
        for scope in _lists(resource, "scopeLogs", "scope_logs"):
            yield from _lists(scope, "logRecords", "log_records")


def _lists(record: dict[str, Any], *names: str) -> Iterator[dict[str, Any]]:
    for name in names:
        found = record.get(name)
        if isinstance(found, list):
            yield from (one for one in found if isinstance(one, dict))


def _evaluation(log: dict[str, Any], report: FileReport) -> Evaluation | None:
    """What a log record judges; None where it is another event, or of nothing that is named."""
    try:
        said = {
            pair["key"]: text_of(value) if not isinstance(value, float) else repr(value)
            for pair in _lists(log, "attributes")
            if isinstance(pair.get("key"), str) and (value := plain_of(pair.get("value"))) is not None
        }
        name = log.get("eventName") or log.get("event_name") or said.get("event.name")
        if name != EVENT:
            return None
        trace_id = _id(log.get("traceId") or log.get("trace_id"), 16, report)
        span_id = _id(log.get("spanId") or log.get("span_id"), 8, report)
        written = log.get("timeUnixNano") or log.get("time_unix_nano") or log.get("observedTimeUnixNano")
        time_ns = instant(written)
    except Unusable as error:
        report.warn("unreadable_record", f"an evaluation: {error}")
        return None
    response_id = said.get("gen_ai.response.id", "")
    return Evaluation(
        trace_id, span_id, response_id, time_ns if 0 < time_ns < TOO_LATE else 0, tuple(sorted(said.items()))
    )


def _id(value: Any, size: int, report: FileReport) -> str:
    """An id as those of spans are stored."""
    written = identifier(value, size, report)
    return id_of_text(written, 2 * size)[0] if written else ""
