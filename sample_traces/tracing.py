"""The real OpenTelemetry SDK on the simulation's clock: one provider per service, ids from a seed."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import SpanKind, Status, StatusCode

from overbudget.sample_traces.simulation import Simulation

SCOPE = "shop-assistant"


class SeededIds(IdGenerator):
    """Ids from a seed, the same in every run."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def generate_span_id(self) -> int:
        return self._random.getrandbits(64) or 1

    def generate_trace_id(self) -> int:
        return self._random.getrandbits(128) or 1


class _Collect(SpanProcessor):
    def __init__(self, into: list[ReadableSpan]) -> None:
        self._into = into

    def on_end(self, span: ReadableSpan) -> None:
        self._into.append(span)


class Tracing:
    """Starts and ends spans of any service at the simulated time; `spans` are the ended ones, in order of their end."""

    def __init__(self, simulation: Simulation, seed: str) -> None:
        self._simulation = simulation
        self._ids = SeededIds(seed)
        self._tracers: dict[str, trace.Tracer] = {}
        self.spans: list[ReadableSpan] = []

    def span(
        self,
        service: str,
        name: str,
        context: Context | None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Mapping[str, Any] | None = None,
    ) -> "Span":
        """Start a span now; `context` holds its parent (None: a root)."""
        if service not in self._tracers:
            # not Resource.create: the SDK's version would change the committed dumps with every upgrade
            resource = Resource({"service.name": service, "service.version": "2.4.1", "host.name": f"{service}-0"})
            provider = TracerProvider(resource=resource, id_generator=self._ids, shutdown_on_exit=False)
            provider.add_span_processor(_Collect(self.spans))
            self._tracers[service] = provider.get_tracer(SCOPE, "1.0")
        started = self._tracers[service].start_span(
            name, context=context or Context(), kind=kind, attributes=attributes, start_time=self._simulation.now
        )
        return Span(started, self._simulation)


class Span:
    """A span that is running."""

    def __init__(self, span: trace.Span, simulation: Simulation) -> None:
        self._span, self._simulation = span, simulation

    @property
    def context(self) -> Context:
        """For spans below this one in the same service."""
        return trace.set_span_in_context(self._span, Context())

    def carried(self) -> Context:
        """For spans of another service: what a W3C traceparent header carries."""
        headers: dict[str, str] = {}
        propagate.inject(headers, context=self.context)
        return propagate.extract(headers, context=Context())

    def set(self, attributes: Mapping[str, Any]) -> None:
        self._span.set_attributes(dict(attributes))

    def event(self, name: str, attributes: Mapping[str, Any] | None = None) -> None:
        self._span.add_event(name, dict(attributes or {}), timestamp=self._simulation.now)

    def fail(self, message: str) -> None:
        self._span.set_status(Status(StatusCode.ERROR, message))

    def end(self) -> None:
        self._span.end(end_time=self._simulation.now)


def by_arrival(spans: Sequence[ReadableSpan]) -> list[ReadableSpan]:
    """Spans in the order in which exporters would send them: by end, then id."""
    return sorted(spans, key=lambda span: (span.end_time or 0, span.context.span_id))
