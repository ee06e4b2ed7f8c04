"""Systems as their records show them: clocks that differ, spans that are lost, traces that are sampled."""

from pathlib import Path

import numpy as np

from bench.worlds import emit
from bench.worlds.engine import MS, Run
from bench.worlds.mechanisms.places import SlowOperation
from bench.worlds.world import world


@world("clock skew", "services whose clocks are seconds apart")
class ClockSkew(SlowOperation):
    def write(self, run: Run, path: Path) -> Path:
        random = np.random.default_rng([self.seed, 3])
        services = sorted({span.service for span in run.spans})
        return emit.write(run.spans, path, ahead={one: int(random.normal(0, 400) * MS) for one in services})


@world("lost spans", "the exporter drops spans of slow requests")
class LostSpans(SlowOperation):
    def write(self, run: Run, path: Path) -> Path:
        random = np.random.default_rng([self.seed, 4])
        slow = run.latency_ns >= np.quantile(run.latency_ns, 0.8)
        lost = {
            span.number
            for span in run.spans
            if span.parent is not None and span.parent.parent is None and slow[span.request] and random.random() < 0.15
        }
        return emit.write((span for span in run.spans if span.number not in lost), path)


@world("sampling", "one request in four is kept, and every slow or failed one")
class Sampled(SlowOperation):
    requests = 1600

    def write(self, run: Run, path: Path) -> Path:
        """Recorded as the conventions do: `ot=th:c` keeps a quarter, `ot=th:0` all."""
        random = np.random.default_rng([self.seed, 5])
        slow = run.latency_ns >= np.quantile(run.latency_ns, 0.9)
        kept = slow | (random.random(self.requests) < 0.25)
        for span in run.spans:
            span.attributes["tracestate"] = "ot=th:0" if slow[span.request] else "ot=th:c"
        return emit.write((span for span in run.spans if kept[span.request]), path)
