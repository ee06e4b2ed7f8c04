"""The simulated coding agent: one request is a turn of a conversation, from what a person asks to the answer.

coding-agent   invoke_agent coder: again and again `chat` and the tool that the model asked for: read_file, grep, edit_file,
               run_tests; before a tool that changes or runs something `await_permission`, until the person says yes

Every call of the model gets all that was said before. What the provider has in its cache is read in no time; what is new in the
prompt is read at so much for each token. Where the prompt begins differently from the last one nothing of it is in the cache.
"""

from dataclasses import dataclass
from typing import Any

from opentelemetry.trace import SpanKind

from overbudget.sample_traces.simulation import MS, Dice, Process, Simulation
from overbudget.sample_traces.tracing import Span, Tracing

SERVICE = "coding-agent"
MODEL = "coder-70b"
TOOLS = (
    ("read_file", 6.0, 1_400),
    ("grep", 90.0, 700),
    ("edit_file", 14.0, 120),
    ("run_tests", 3_000.0, 900),
)  # name, ms, tokens
ASKS_FIRST = ("edit_file", "run_tests")
FIRST_PROMPT = 11_000  # tokens: instructions and the descriptions of tools
READ_MS = 0.17  # for each token of the prompt that is not in the cache
WRITE_MS = 11.0  # for each token of the answer


@dataclass(frozen=True)
class CodingFaults:
    """What is wrong with the agent; the defaults are a healthy one."""

    cold_prompts: float = 0.0  # share of turns whose prompts begin with something new in every call


@dataclass
class CodingLedger:
    """What the simulation did: the ground truth."""

    requests: int = 0
    model_calls: int = 0
    permissions: int = 0
    cold_turns: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0

    def happened(self) -> dict[str, Any]:
        """What is told of it in the truth of a sample."""
        return {
            "lost_contexts": 0,
            "model_calls": self.model_calls,
            "permission_prompts": self.permissions,
            "turns_without_cache": self.cold_turns,
            "cached_share": round(self.cached_tokens / self.prompt_tokens, 3),
        }


class CodingAgent:
    """The agent with its faults; `chat` is one request."""

    def __init__(self, simulation: Simulation, tracing: Tracing, faults: CodingFaults, seed: str) -> None:
        self.simulation, self.tracing, self.faults, self.seed = simulation, tracing, faults, seed
        self.ledger = CodingLedger()

    def chat(self, number: int) -> Process:
        """One turn: the model is asked until it wants no more tools."""
        dice = Dice(f"{self.seed}/turn {number}")
        pick = dice.stream("turn")
        steps, asked = pick.randrange(6, 10), pick.randrange(30, 200)
        cold = dice.stream("cold").random() < self.faults.cold_prompts
        self.ledger.requests += 1
        self.ledger.cold_turns += cold
        turn = self._span(
            "invoke_agent coder", None, "invoke_agent",
            {"gen_ai.agent.name": "coder", "gen_ai.conversation.id": f"session-{pick.randrange(40)}", "user.id": f"dev-{pick.randrange(12)}"},
        )  # fmt: skip
        yield dice.duration("read files of instructions", 12.0)
        prompt, cached = FIRST_PROMPT + asked + pick.randrange(4_000), FIRST_PROMPT
        for step in range(steps):
            written = yield from self._ask(dice, turn, step, prompt, 0 if cold else cached)
            cached, prompt = prompt, prompt + written
            if step + 1 < steps:
                prompt += yield from self._use_tool(dice, turn, step)
        yield dice.duration("show", 4.0)
        turn.end()

    def _span(
        self,
        name: str,
        parent: Span | None,
        operation: str,
        attributes: dict[str, Any],
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> Span:
        given = {"gen_ai.operation.name": operation, **attributes}
        return self.tracing.span(SERVICE, name, parent.context if parent else None, kind, given)

    def _ask(self, dice: Dice, turn: Span, step: int, prompt: int, cached: int) -> Process:
        """A call of the model: how many tokens it wrote."""
        words = dice.stream(f"words {step}").randrange(60, 220)
        call = self._span(
            f"chat {MODEL}",
            turn,
            "chat",
            {"gen_ai.request.model": MODEL, "gen_ai.provider.name": "anyscaler"},
            SpanKind.CLIENT,
        )
        began = self.simulation.now
        yield dice.duration(f"first {step}", 350.0, 0.2) + int((prompt - cached) * READ_MS * MS)
        call.event("gen_ai.first_token")
        call.set({"gen_ai.response.time_to_first_chunk": (self.simulation.now - began) / 1e9})
        yield int(words * dice.duration(f"pace {step}", WRITE_MS, 0.08))
        call.set({
            "gen_ai.response.model": MODEL, "gen_ai.usage.input_tokens": prompt,
            "gen_ai.usage.cache_read.input_tokens": cached, "gen_ai.usage.output_tokens": words,
        })  # fmt: skip
        call.end()
        self.ledger.model_calls += 1
        self.ledger.prompt_tokens += prompt
        self.ledger.cached_tokens += cached
        return words

    def _use_tool(self, dice: Dice, turn: Span, step: int) -> Process:
        """The tool that the model asked for: how many tokens its result has."""
        name, median_ms, tokens = dice.stream(f"tool {step}").choices(TOOLS, (5, 3, 3, 1))[0]
        tool = self._span(f"execute_tool {name}", turn, "execute_tool", {"gen_ai.tool.name": name})
        if name in ASKS_FIRST:
            self.ledger.permissions += 1
            asking = self._span("await_permission", tool, "await_human_input", {"gen_ai.tool.name": name})
            yield dice.duration(f"person {step}", 7_000.0, 0.9)
            asking.end()
        yield dice.duration(f"{name} {step}", median_ms, 0.3)
        tool.end()
        return int(tokens * dice.stream(f"result {step}").uniform(0.5, 2.0))
