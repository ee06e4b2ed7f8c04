"""Named scenarios: each tells one story, with the budget it is judged by and what must be found."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan

from overbudget.sample_traces.coding_agent import CodingAgent, CodingFaults, CodingLedger
from overbudget.sample_traces.service import Faults, Ledger, Service
from overbudget.sample_traces.simulation import MS, Dice, Simulation
from overbudget.sample_traces.tracing import Tracing, by_arrival

START_NS = 1_767_258_000_000_000_000  # 2026-01-01 09:00 UTC
SECOND = 1_000 * MS
PERCENTILES = (50, 75, 90, 95, 99)


def steady(per_second: float) -> Callable[[float], float]:
    return lambda share: per_second


def ramp(first: float, last: float) -> Callable[[float], float]:
    """Arrivals per second as a function of the share of requests that have arrived."""
    return lambda share: first + (last - first) * share


@dataclass(frozen=True)
class Scenario:
    """A story, the faults that make it, the caps it is judged by, and the stage to blame at each percentile."""

    name: str
    title: str
    story: str
    faults: Faults | CodingFaults
    culprit: dict[int, str | None]
    caps: dict[str, dict[int, int]]  # "total" or a stage → percentile → ms
    operation: dict[str, str] | None = None
    attribute: dict[str, str] | None = None
    arrivals: Callable[[float], float] = field(default=steady(6.0))
    requests: int = 420


CODING_CAPS: dict[str, dict[int, int]] = {
    "total": {50: 26_000, 90: 33_000, 95: 36_000, 99: 42_000},
    "inference": {50: 22_000, 90: 26_000, 95: 28_000, 99: 32_000},
    "tools": {90: 12_000, 95: 15_000, 99: 20_000},
}
CAPS: dict[str, dict[int, int]] = {
    "total": {50: 1_300, 95: 1_800, 99: 2_300},
    "retrieval": {95: 150, 99: 200},
    "database": {95: 15, 99: 30},
    "tools": {95: 240, 99: 290},
    "inference": {95: 1_250, 99: 1_500},
    "safety": {95: 80, 99: 100},
    "queue": {95: 40, 99: 80},
}


def _only(*percentiles: int, stage: str) -> dict[int, str | None]:
    return {p: stage if p in percentiles else None for p in PERCENTILES}


SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        "healthy", "Healthy",
        "Everything keeps its budget, at every percentile. What a good week looks like.",
        Faults(), _only(stage=""), CAPS,
    ),
    Scenario(
        "slow_database_tenant", "A slow query for one tenant",
        "Most requests are fine. For one tenant in eight the query for its documents takes a second longer, which the median hides and p95 tells.",
        Faults(slow_docs_tenant="umbrella"), _only(90, 95, 99, stage="retrieval"), CAPS,
        {"service_name": "retriever", "name": "SELECT docs"}, {"key": "tenant", "value": "umbrella"},
    ),
    Scenario(
        "tools_in_a_row", "Tools in a row",
        "Three tools that need nothing of each other are called one after the other. Every request pays for it.",
        Faults(tools_in_parallel=False), _only(*PERCENTILES, stage="tools"), CAPS,
        {"service_name": "tools", "name": ""},
    ),
    Scenario(
        "load_ramp", "Load until it breaks",
        "Traffic grows until the inference server has no slot left. From then on requests wait in its queue, and latency grows with every arrival.",
        Faults(gpu_slots=12), _only(75, 90, 95, 99, stage="queue"), CAPS,
        {"service_name": "inference", "name": "wait_for_slot"}, arrivals=ramp(2.0, 20.0), requests=560,
    ),
    Scenario(
        "erratic_big_model", "An erratic big model",
        "Half of the traffic goes to a big model. At the median it is as fast as the small steady one; one call in ten is many times slower.",
        Faults(models=(("steady-8b", 260.0, 0.10), ("big-400b", 300.0, 1.1))), _only(90, 95, 99, stage="inference"), CAPS,
        {"service_name": "inference", "name": "llm_request"}, {"key": "gen_ai.request.model", "value": "big-400b"},
    ),
    Scenario(
        "repeated_prompts", "The same questions again",
        "Eight questions make up all of the traffic, and every prompt begins with the same instructions. Nothing is over budget; much of it need not run at all.",
        Faults(repeated=True), _only(stage=""), CAPS,
    ),
    Scenario(
        "lost_context", "Lost context between services",
        "For a quarter of the requests the trace context does not reach the orchestrator. Their traces are cut in two, and half of the time cannot be attributed.",
        Faults(lost_context=0.25), _only(stage=""), CAPS,
    ),
    Scenario(
        "streamed_answers", "Streamed answers",
        "Answers stream on after the functions that asked for them have returned. One in seven is four times as long, and inference breaks its cap.",
        Faults(streams_on=True, long_answers=0.14), _only(90, 95, 99, stage="inference"), CAPS,
        {"service_name": "inference", "name": "llm_request"},
    ),
    Scenario(
        "coding_agent", "A coding agent that loses its cache",
        "Turns of many steps: a model call with all that was said before, a tool, the next call. Waiting for a person's permission is no latency. "
        "In one turn of six the prompts begin differently each time, nothing of them is in the cache, and every call reads all of it again.",
        CodingFaults(cold_prompts=0.17), _only(90, 95, 99, stage="inference"), CODING_CAPS,
        {"service_name": "coding-agent", "name": "chat coder-70b"}, arrivals=steady(0.1), requests=420,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """A simulated scenario: its spans in the order of their end, and what truly happened."""

    scenario: Scenario
    spans: list[ReadableSpan]
    ledger: Ledger | CodingLedger


def simulate(
    scenario: Scenario, requests: int | None = None, seed: int = 1, faults: Faults | CodingFaults | None = None
) -> Run:
    """Run a scenario. Other `faults` under the same seed change nothing but what they are about: a counterfactual."""
    count = requests or scenario.requests
    simulation = Simulation(START_NS)
    tracing = Tracing(simulation, f"{scenario.name}/{seed}/ids")
    chosen = faults or scenario.faults
    service = (
        CodingAgent(simulation, tracing, chosen, f"{seed}")
        if isinstance(chosen, CodingFaults)
        else Service(simulation, tracing, chosen, f"{seed}")
    )
    arrivals = Dice(f"{seed}").stream("arrivals")
    at = 0
    for number in range(count):
        simulation.start(service.chat(number), at)
        at += int(arrivals.expovariate(scenario.arrivals(number / count)) * SECOND)
    simulation.run()
    return Run(scenario, by_arrival(tracing.spans), service.ledger)


def truth(run: Run) -> dict[str, Any]:
    """The ground truth of a run, from the simulation's own books."""
    scenario, ledger = run.scenario, run.ledger
    return {
        "name": scenario.name,
        "title": scenario.title,
        "story": scenario.story,
        "requests": ledger.requests,
        "traces": len({span.context.trace_id for span in run.spans}),
        "spans": len(run.spans),
        "budget": f"{scenario.name}.budget.toml",
        "culprit": {f"p{p}": stage or None for p, stage in scenario.culprit.items()},
        "operation": scenario.operation,
        "attribute": scenario.attribute,
        "happened": ledger.happened(),
    }


def budget_toml(scenario: Scenario) -> str:
    """The budget file of a scenario."""
    lines = [f"# The budget of the sample “{scenario.title}”", "[budget]"]
    lines += [f'p{p} = "{ms}ms"' for p, ms in scenario.caps["total"].items()]
    for stage, caps in scenario.caps.items():
        if stage != "total":
            lines += ["", f"[stages.{stage}]", *(f'p{p} = "{ms}ms"' for p, ms in caps.items())]
    return "\n".join(lines) + "\n"
