"""Datasets on the edges of what there is to tell; every analysis answers all of them (tests/test_every_analysis.py).

Each is drawn from a seed as spans and read like any dump, so that it has real trees; a few hundred spans are enough.
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.span_dump import Span

Trace = list[Span]
CAPS = '[budget]\np50 = "250ms"\np95 = "400ms"\n[stages.retrieval]\np95 = "60ms"\n[stages.inference]\np95 = "300ms"\n'
SEARCH = {"openinference.span.kind": "RETRIEVER"}


def chat_span(start: float, end: float, tokens: int = 200, **more: object) -> Span:
    """A model call below the entry span."""
    said = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "mist-1",
        "gen_ai.usage.input_tokens": tokens * 4,
        "gen_ai.usage.output_tokens": tokens,
    }
    return Span("chat mist-1", start, end, "request", attributes=said, **more)  # type: ignore[arg-type]


def answer(
    rng: random.Random, route: str = "POST /chat", slow: float = 1.0, failed: bool = False, **more: object
) -> Trace:
    """A request that retrieves and then writes; with its usual chance of a slow search."""
    search = slow * (rng.gammavariate(4, 10) + (300 if rng.random() < 0.1 else 0))
    write = rng.gammavariate(20, 8)
    end = search + write + 7
    entry = Span(route, 0, end, kind="server", key="request", failed=failed, attributes=more)  # type: ignore[arg-type]
    docs = Span("search docs", 2, 2 + search, "request", attributes=SEARCH)
    query = Span(
        "SELECT docs", 3, 1 + search, "search docs", "db", "client", attributes={"db.system.name": "postgresql"}
    )
    return [entry, docs, query, chat_span(4 + search, 4 + search + write, tokens=rng.randint(50, 400))]


def usual(count: int, seed: int = 1) -> list[Trace]:
    rng = random.Random(seed)
    return [answer(rng, tenant=rng.choice(["a", "b"])) for _ in range(count)]


def all_ties() -> list[Trace]:
    return [answer(random.Random(3)) for _ in range(60)]


def two_routes() -> list[Trace]:
    rng = random.Random(4)
    return [answer(rng, *(("POST /chat", 1.0), ("POST /batch", 3.0))[number % 3 == 0]) for number in range(90)]


def agents() -> list[Trace]:
    """Two turns below one session root, and before them what sets the session up."""
    rng = random.Random(5)
    found = []
    for _ in range(45):
        first, second = (rng.gammavariate(9, 20) for _ in range(2))
        turns = [
            Span("turn", 5, 5 + first, "session", key="t1"),
            Span("search", 6, 4 + first, "t1", key="s1", attributes=SEARCH),
            Span("turn", 10 + first, 10 + first + second, "session", key="t2"),
            Span("search", 11 + first, 9 + first + second, "t2", key="s2", attributes=SEARCH),
        ]
        found.append([Span("session", 0, 12 + first + second, kind="server"), Span("load", 1, 4, "session"), *turns])
    return found


def incomplete() -> list[Trace]:
    """Of every third request the search was never exported: its query is an orphan."""
    traces = usual(90, 6)
    for trace in traces[::3]:
        lost = trace[1]
        trace[1] = Span(lost.name, lost.start, lost.end, lost.parent, attributes=lost.attributes, lost=True)
    return traces


def open_entries() -> list[Trace]:
    """Every tenth entry span was never ended."""
    traces = usual(80, 7)
    for trace in traces[::10]:
        entry = trace[0]
        trace[0] = Span(entry.name, 0, None, kind="server", key="request", attributes=entry.attributes)
    return traces


def failures_only() -> list[Trace]:
    rng = random.Random(8)
    return [answer(rng, failed=True) for _ in range(60)]


def no_stages() -> list[Trace]:
    rng = random.Random(9)
    return [
        [Span("job", 0, 20 + took), Span("step", 2, took + 10, "job"), Span("wait", 3, took, "step")]
        for took in (rng.gammavariate(3, 30) + 5 for _ in range(60))
    ]


def forty_services() -> list[Trace]:
    """A request asks forty services one after the other; the seventh is sometimes slow."""
    rng = random.Random(10)
    found = []
    for number in range(50):
        at, spans = 1.0, list[Span]()
        for service in range(40):
            took = rng.gammavariate(4, 1) + (80 if service == 7 and number % 9 == 0 else 0)
            call, name = f"call {service}", f"service-{service:02}"
            spans.append(Span(f"GET /{name}", at, at + took + 2, "request", kind="client", key=call))
            spans.append(Span("serve", at + 1, at + took + 1, call, name, "server", key=f"{call} there"))
            at += took + 3
        found.append([Span("GET /page", 0, at, kind="server", key="request"), *spans])
    return found


def retried() -> list[Trace]:
    """Model calls that fail are made again, and some calls overlap."""
    rng = random.Random(11)
    found = []
    for number in range(60):
        first, second = rng.gammavariate(9, 8), rng.gammavariate(9, 12)
        calls = [chat_span(first + 10, first + 10 + second)]
        if number % 4 == 0:
            calls.append(chat_span(2, 2 + first, failed=True, key="first try"))
        if number % 5 == 0:
            calls.append(Span("look up", 3, first, "request", attributes={"gen_ai.operation.name": "execute_tool"}))
        found.append([Span("POST /chat", 0, first + second + 15, kind="server", key="request"), *calls])
    return found


def waits_for_people() -> list[Trace]:
    """In every other request a person is asked for permission."""
    rng = random.Random(12)
    found = []
    for number in range(60):
        trace = answer(rng)
        end = trace[0].end or 0
        if number % 2:
            asked = Span("approve tool", end - 3, end + 5_000 * rng.random(), "request")
            entry = Span("POST /chat", 0, (asked.end or 0) + 1, kind="server", key="request")
            trace = [entry, *trace[1:], asked]
        found.append(trace)
    return found


@dataclass(frozen=True)
class Case:
    """A dataset, a budget (TOML, "" for none) and which requests are looked at."""

    name: str
    traces: Callable[[], list[Trace]]
    budget: str = CAPS
    only: tuple[str, ...] = ()
    apart_ms: float = 10_000

    def __str__(self) -> str:
        return self.name


MATRIX: tuple[Case, ...] = (
    Case("empty_after_filter", lambda: usual(40), only=("start=2100-01-01",)),
    Case("one_request", lambda: usual(1)),
    Case("two_requests", lambda: usual(2)),
    Case("all_ties", all_ties),
    Case("ties_at_the_cap", all_ties, budget=""),  # the cap is set to their very latency, see `budget_of`
    Case("route_caps", two_routes, f'{CAPS}[routes."POST /batch"]\np95 = "900ms"\n'),
    Case("route_caps_alone", two_routes, '[routes."POST /batch"]\np95 = "200ms"\n'),
    Case("own_rules", lambda: usual(60), f'{CAPS}[stages.mine]\np95 = "20ms"\nmatch = [ {{ name = "SELECT *" }} ]\n'),
    Case("request_match", agents, f'{CAPS}[request]\nmatch = {{ name = "turn" }}\n'),
    Case("background", agents, f'{CAPS}[background]\nmatch = [ {{ name = "turn" }} ]\n'),
    Case("people", waits_for_people, f'{CAPS}[stages.user]\nmatch = [ {{ name = "approve *" }} ]\n'),
    Case("filtered", lambda: usual(90, 2), only=("attr:tenant=a",)),
    Case("filtered_route", two_routes, only=("route=POST /batch",)),
    Case("incomplete", incomplete),
    Case("open_entries", open_entries),
    Case("failures_only", failures_only),
    Case("no_budget", lambda: usual(60, 13), budget=""),
    Case("no_stages", no_stages),
    Case("forty_services", forty_services),
    Case("crowded", lambda: usual(120, 14), apart_ms=30),
    Case("retried", retried),
)


def budget_of(case: Case, latencies_ns: Iterable[int]) -> str | None:
    """The case's budget; with ties at the cap, the cap at p50 that is the latency of every request."""
    if case.name == "ties_at_the_cap":
        return f'[budget]\np50 = "{max(latencies_ns)}ns"\n'
    return case.budget or None
