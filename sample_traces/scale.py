"""Dumps of any size for benchmarks: simulated requests again and again, with new ids and later times."""

import re
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from opentelemetry.sdk.trace import ReadableSpan

from overbudget.sample_traces.scenarios import SCENARIOS, START_NS, simulate
from overbudget.sample_traces.writing import otlp_json, records

REQUESTS = 50  # simulated ones, repeated together as one record
SPAN_DIGITS, TRACE_DIGITS = 16, 32


def write(path: Path, spans: int, form: str, per_request: int | None = None) -> int:
    """Write at least `spans` spans to `path` as "json" (lines) or "protobuf" (4-byte length prefixes); how many it were.

    Requests have `per_request` spans at most: those nearest to the top.
    """
    simulated = simulate(SCENARIOS[0], requests=REQUESTS).spans
    if per_request is not None:
        simulated = _topmost(simulated, per_request)
    written = 0
    with path.open("wb") as file:
        for template in _templates(simulated, form):
            template.repeats = -(-spans // len(simulated))
            for record in template.copies():
                file.write(record if form == "json" else struct.pack(">I", len(record)) + record)
            written += template.spans * template.repeats
    return written


def _topmost(spans: list[ReadableSpan], per_request: int) -> list[ReadableSpan]:
    parent = {span.context.span_id: span.parent.span_id if span.parent else None for span in spans}

    def depth(span_id: int | None) -> int:
        return 0 if span_id is None else 1 + depth(parent.get(span_id))

    taken: Counter[int] = Counter()
    kept = set()
    for span in sorted(spans, key=lambda span: depth(span.context.span_id)):
        taken[span.context.trace_id] += 1
        if taken[span.context.trace_id] <= per_request:
            kept.add(span.context.span_id)
    return [span for span in spans if span.context.span_id in kept]


class _Template:
    """A record with the places of its ids and times, all of which have a fixed width."""

    def __init__(self, record: bytes, spans: int, ids: list[tuple[int, int]], times: list[int], form: str) -> None:
        self.record = np.frombuffer(record, np.uint8)
        self.spans, self.ids, self.times, self.form = spans, ids, times, form
        self.repeats = 1

    def copies(self) -> Iterator[bytes]:
        width = 1 if self.form == "json" else 0
        starts = np.array([place for place, _ in self.ids])
        times = np.array(self.times)
        steps = np.arange(19 if self.form == "json" else 8)
        recorded = self._read_times(times, steps)
        for copy in range(self.repeats):
            record = self.record.copy()
            # the first four bytes (eight digits) of every id are xored with the number of the copy
            if width:
                mark = np.frombuffer(f"{copy:08x}".encode(), np.uint8)
                places = starts[:, None] + np.arange(8)
                values = _nibbles(record[places]) ^ _nibbles(mark)
                record[places] = _digits(values)
            else:
                mark = np.frombuffer(struct.pack(">I", copy), np.uint8)
                places = starts[:, None] + np.arange(4)
                record[places] ^= mark
            self._write_times(record, times, steps, recorded + np.int64(copy) * 10_000_000_000)
            yield record.tobytes()

    def _read_times(self, places: npt.NDArray[np.int64], steps: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        digits = self.record[places[:, None] + steps]
        if self.form == "json":
            return np.asarray(
                ((digits - 48).astype(np.int64) * 10 ** np.arange(18, -1, -1, dtype=np.int64)).sum(axis=1)
            )
        return np.ascontiguousarray(digits).view("<i8").ravel()

    def _write_times(
        self,
        record: npt.NDArray[np.uint8],
        places: npt.NDArray[np.int64],
        steps: npt.NDArray[np.int64],
        times: npt.NDArray[np.int64],
    ) -> None:
        if self.form == "json":
            digits = (times[:, None] // 10 ** np.arange(18, -1, -1, dtype=np.int64)) % 10 + 48
            record[places[:, None] + steps] = digits.astype(np.uint8)
        else:
            record[places[:, None] + steps] = times.astype("<i8").view(np.uint8).reshape(-1, 8)


def _nibbles(digits: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.where(digits < 58, digits - 48, digits - 87).astype(np.uint8)


def _digits(nibbles: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.where(nibbles < 10, nibbles + 48, nibbles + 87).astype(np.uint8)


def _templates(spans: list[ReadableSpan], form: str) -> Iterator[_Template]:
    for record in records(spans):
        count = sum(len(scope.spans) for resource in record.resource_spans for scope in resource.scope_spans)
        if form == "json":
            data = (otlp_json(record) + "\n").encode()
            found = re.finditer(rb'"(?:traceId|spanId|parentSpanId)":"([0-9a-f]+)"', data)
            ids = [(match.start(1), len(match[1])) for match in found]
            times = [match.start(1) for match in re.finditer(rb'"(?:\w*[tT]imeUnixNano)":"(\d{19})"', data)]
        else:
            data = record.SerializeToString(deterministic=True)
            wanted = {
                value
                for r in record.resource_spans
                for s in r.scope_spans
                for span in s.spans
                for value in (span.trace_id, span.span_id, span.parent_span_id)
                if value
            }
            ids = [
                (match.start(), len(match[0]))
                for match in re.finditer(b"|".join(re.escape(value) for value in sorted(wanted)), data)
            ]
            prefix = struct.pack("<q", START_NS)[6:]  # the high bytes that all of these times share
            stamps = {
                struct.pack("<q", value)
                for r in record.resource_spans for s in r.scope_spans for span in s.spans
                for value in (span.start_time_unix_nano, span.end_time_unix_nano, *(event.time_unix_nano for event in span.events))
            }  # fmt: skip
            times = [at - 6 for at in _places(data, prefix) if data[at - 6 : at + 2] in stamps]
        yield _Template(data, count, ids, times, form)


def _places(data: bytes, wanted: bytes) -> Iterator[int]:
    at = data.find(wanted)
    while at >= 0:
        yield at
        at = data.find(wanted, at + 1)
