"""One trace with everything that a waterfall shows."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from overbudget.stages.names import part_of


@dataclass(frozen=True)
class Segment:
    """A critical-path segment of a request, ns since the epoch on the adjusted clock.

    Where it is not `awaited`, the trace shows what ran then, not that the request waited for it. `while_running` is a span
    that ran then and ended after the request: the time is not that span's.
    """

    span_id: str
    start_ns: int
    end_ns: int
    stage: str
    hop_to: str | None
    awaited: bool = True
    while_running: str | None = None


@dataclass(frozen=True)
class TraceCall:
    """What the relation `model_calls` says of a span that is a model call; None for what is not recorded."""

    first_token_ns: int | None
    model: str | None
    input_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    cost: float | None


@dataclass(frozen=True)
class TraceSpan:
    """A span as a row of the waterfall. `parent` is a row, -1 for none; times are on the adjusted clock; `call` is there where
    the span is a model call."""

    span_id: str
    parent_span_id: str | None
    parent: int
    depth: int
    name: str
    service_name: str
    kind: str
    stage: str
    start_ns: int
    end_ns: int
    skew_ns: int
    ended: bool
    orphan: bool
    status_code: str
    status_message: str
    critical_ns: int
    call: TraceCall | None
    attributes: dict[str, str | None]
    resource_attributes: dict[str, str | None]
    events: list[dict[str, Any]] = field(default_factory=list)
    links: list[dict[str, Any]] = field(default_factory=list)

    @property
    def first_token_ns(self) -> int:
        """From the start of a model call to its first token, -1 where that is not recorded."""
        return -1 if self.call is None or self.call.first_token_ns is None else self.call.first_token_ns


@dataclass(frozen=True)
class TraceRequest:
    """A request of the trace with its critical path in time order."""

    span_id: str
    route: str
    duration_ns: int
    user_ns: int  # of which it waited for a person
    complete: bool
    critical_path: list[Segment]
    first_token_ns: int | None = None  # of its answer, from its start
    parts: dict[str, int] = field(default_factory=dict)  # time in parts of stages, by name


@dataclass(frozen=True)
class Trace:
    """A trace: spans in the order in which they are drawn (parents before children, siblings by start), and requests."""

    trace_id: str
    spans: list[TraceSpan]
    requests: list[TraceRequest]

    @cached_property  # computed over all spans, and needed for each one that is drawn
    def start_ns(self) -> int:
        return min(span.start_ns for span in self.spans)

    @cached_property
    def end_ns(self) -> int:
        return max(span.end_ns for span in self.spans)

    @property
    def meanwhile_ns(self) -> dict[str, int]:
        """For each span that ended after its request, by id: how much of the request passed while it ran."""
        passed: dict[str, int] = {}
        for segment in (segment for request in self.requests for segment in request.critical_path):
            if segment.while_running is not None:
                before = passed.get(segment.while_running, 0)
                passed[segment.while_running] = before + segment.end_ns - segment.start_ns
        return passed

    def as_dict(self) -> dict[str, Any]:
        """The JSON of `overbudget trace --json`."""
        return {"trace_id": self.trace_id, "requests": [_request_dict(request) for request in self.requests]}


def _request_dict(request: TraceRequest) -> dict[str, Any]:
    return {
        "span_id": request.span_id,
        "route": request.route,
        "duration_ns": request.duration_ns,
        "user_ns": request.user_ns,
        "latency_ns": request.duration_ns - request.user_ns,
        "complete": request.complete,
        "first_token_ns": request.first_token_ns,
        "parts": [{"stage": name, "part_of": part_of(name), "part_ns": ns} for name, ns in request.parts.items()],
        "critical_path": [
            {
                "span_id": s.span_id,
                "start_ns": s.start_ns,
                "end_ns": s.end_ns,
                "stage": s.stage,
                "hop_to": s.hop_to,
                "awaited": s.awaited,
                "while_running": s.while_running,
            }
            for s in request.critical_path
        ],
    }
