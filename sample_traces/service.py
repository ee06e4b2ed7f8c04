"""The simulated service: a shop's assistant that retrieves, checks, calls tools, and streams an answer.

gateway        POST /chat, authorize, SELECT accounts
orchestrator   invoke_agent: retrieve, guard_input, build_prompt, tools, chat, guard_output, format_response
retriever      embeddings, vector search, SELECT docs
tools          weather, stock, orders
inference      wait_for_slot, then the model streams
"""

from dataclasses import dataclass, field
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import SpanKind

from overbudget.sample_traces.simulation import MS, Dice, Pool, Process, Simulation, Task
from overbudget.sample_traces.tracing import Span, Tracing

CLIENT, SERVER = SpanKind.CLIENT, SpanKind.SERVER
TENANTS = ("acme", "globex", "initech", "umbrella", "hooli", "stark", "wayne", "tyrell")
TOOLS = ("weather", "stock", "orders")
QUESTIONS = (
    "Where is my order?", "Does the tent fit four?", "Which jacket is warm enough for Norway?", "Can I return worn shoes?",
    "What does express delivery cost?", "Is the stove allowed on a plane?", "How do I wash a down bag?", "When is the kayak back?",
)  # fmt: skip
SYSTEM_PROMPT = "You are the assistant of an outdoor shop. Answer from the documents. Be brief and kind. " * 6


@dataclass(frozen=True)
class Faults:
    """What is wrong with the service; the defaults are a healthy one."""

    slow_docs_tenant: str | None = None  # SELECT docs is slow for this tenant …
    slow_docs_ms: float = 900.0  # … by about this much
    tools_in_parallel: bool = True
    gpu_slots: int = 64
    models: tuple[tuple[str, float, float], ...] = (
        ("steady-8b", 260.0, 0.10),
    )  # name, median time to first token, sigma
    repeated: bool = False  # questions, and so retrievals and prompts, repeat
    lost_context: float = 0.0  # share of requests whose context does not reach the orchestrator
    streams_on: bool = False  # the answer streams on after the functions that asked for it have returned
    long_answers: float = 0.0  # share of requests with an answer four times as long


@dataclass
class Ledger:
    """What the simulation did, request by request: the ground truth."""

    requests: int = 0
    slow_docs: int = 0
    lost: int = 0
    by_model: dict[str, int] = field(default_factory=dict)
    queued_ms: list[float] = field(default_factory=list)
    long_answers: int = 0

    def happened(self) -> dict[str, Any]:
        """What is told of it in the truth of a sample."""
        waits = sorted(self.queued_ms)
        return {
            "slow_queries": self.slow_docs,
            "lost_contexts": self.lost,
            "long_answers": self.long_answers,
            "calls_by_model": dict(sorted(self.by_model.items())),
            "queue_ms_p50": round(waits[len(waits) // 2], 2),
            "queue_ms_p95": round(waits[int(len(waits) * 0.95)], 2),
        }


class Service:
    """The service with its faults; `chat` is one request."""

    def __init__(self, simulation: Simulation, tracing: Tracing, faults: Faults, seed: str) -> None:
        self.simulation, self.tracing, self.faults, self.seed = simulation, tracing, faults, seed
        self.gpu = Pool(faults.gpu_slots)
        self.accounts = Pool(20)
        self.ledger = Ledger()

    def _span(
        self, service: str, name: str, context: Context | None, kind: SpanKind = SpanKind.INTERNAL, **attributes: Any
    ) -> Span:
        return self.tracing.span(
            service, name, context, kind, {key.replace("__", "."): value for key, value in attributes.items()}
        )

    def _server(self, service: str, name: str, context: Context | None, request_id: str) -> Span:
        span = self._span(service, name, context, SERVER, http__request__method="POST", http__route=name.split(" ")[1])
        span.set({"http.request.header.x-request-id": [request_id]})
        return span

    def chat(self, number: int) -> Process:
        """One request, from the gateway to the answer."""
        dice = Dice(f"{self.seed}/{number}")
        pick = dice.stream("who")
        request_id = f"req-{pick.getrandbits(48):012x}"
        tenant = pick.choice(TENANTS)
        self.ledger.requests += 1
        root = self._server("gateway", "POST /chat", None, request_id)
        root.set({"tenant": tenant, "user.id": f"u-{pick.randrange(200)}", "session.id": f"s-{pick.randrange(150)}"})
        yield dice.duration("parse", 1.0)
        authorize = self._span("gateway", "authorize", root.context)
        yield from self._query(dice, "gateway", "SELECT accounts", authorize, "accounts-db", 6.0, self.accounts)
        authorize.end()
        call = self._span(
            "gateway", "POST", root.context, CLIENT, http__request__method="POST", server__address="orchestrator"
        )
        yield dice.duration("network", 1.5)
        lost = dice.stream("lost").random() < self.faults.lost_context
        self.ledger.lost += lost
        answer = self._server("orchestrator", "POST /answer", None if lost else call.carried(), request_id)
        stream = yield from self._answer(dice, answer, tenant, request_id)
        answer.end()
        yield dice.duration("network back", 1.0)
        call.end()
        if stream is not None:
            yield [stream]
        yield dice.duration("respond", 1.0)
        root.end()

    def _answer(self, dice: Dice, server: Span, tenant: str, request_id: str) -> Process:
        agent = self._span(
            "orchestrator", "invoke_agent assistant", server.context, gen_ai__operation__name="invoke_agent"
        )
        agent.set({"gen_ai.agent.name": "assistant", "gen_ai.conversation.id": request_id.replace("req", "conv")})
        question = (
            dice.stream("question").choice(QUESTIONS)
            if self.faults.repeated
            else f"{dice.stream('question').choice(QUESTIONS)} {request_id}"
        )
        yield from self._guard(dice, "guard_input", agent)
        documents = yield from self._retrieve(dice, agent, tenant, question, request_id)
        yield from self._tools(dice, agent, request_id)
        prompt = self._span("orchestrator", "build_prompt", agent.context, openinference__span__kind="PROMPT")
        yield dice.duration("prompt", 4.0)
        prompt.end()
        stream: Task | None = None
        if self.faults.streams_on:
            started: list[bool] = []
            stream = self.simulation.start(self._infer(dice, agent, question, documents, request_id, started))
            while not started:  # the function returns with the first token; the answer streams on
                yield 5 * MS
        else:
            yield from self._infer(dice, agent, question, documents, request_id, [])
            yield from self._guard(dice, "guard_output", agent)
        shaping = self._span("orchestrator", "format_response", agent.context)
        yield dice.duration("shape", 3.0)
        shaping.end()
        agent.end()
        return stream

    def _query(
        self,
        dice: Dice,
        service: str,
        name: str,
        parent: Span,
        address: str,
        median_ms: float,
        pool: Pool | None = None,
    ) -> Process:
        span = self._span(service, name, parent.context, CLIENT, db__system__name="postgresql", server__address=address)
        span.set({"db.query.text": f"{name} WHERE id = $1"})
        if pool is not None:
            yield pool
        yield dice.duration(name, median_ms)
        if pool is not None:
            self.simulation.release(pool)
        span.end()

    def _guard(self, dice: Dice, name: str, parent: Span) -> Process:
        span = self._span("orchestrator", name, parent.context, openinference__span__kind="GUARDRAIL")
        yield dice.duration(name, 28.0, 0.15)
        span.end()

    def _retrieve(self, dice: Dice, parent: Span, tenant: str, question: str, request_id: str) -> Process:
        call = self._span(
            "orchestrator", "POST", parent.context, CLIENT, http__request__method="POST", server__address="retriever"
        )
        yield dice.duration("to retriever", 1.5)
        server = self._server("retriever", "POST /retrieve", call.carried(), request_id)
        span = self._span("retriever", "retrieve", server.context, openinference__span__kind="RETRIEVER")
        span.set({"input.value": question, "tenant": tenant})
        embed = self._span(
            "retriever", "embeddings small-embed", span.context, CLIENT, gen_ai__operation__name="embeddings"
        )
        embed.set({"gen_ai.request.model": "small-embed", "gen_ai.provider.name": "in-house"})
        yield dice.duration("embed", 18.0)
        embed.end()
        search = self._span(
            "retriever", "search docs", span.context, CLIENT, db__system__name="qdrant", server__address="vectors"
        )
        search.set({"db.vector.query.top_k": 8})
        yield dice.duration("search", 30.0)
        search.end()
        query = self._span(
            "retriever", "SELECT docs", span.context, CLIENT, db__system__name="postgresql", server__address="docs-db"
        )
        query.set({"db.query.text": "SELECT docs WHERE id = ANY($1) AND tenant = $2", "tenant": tenant})
        yield dice.duration("SELECT docs", 14.0)
        if tenant == self.faults.slow_docs_tenant:
            self.ledger.slow_docs += 1
            yield dice.duration("slow docs", self.faults.slow_docs_ms, 0.3)
        query.end()
        span.end()
        server.end()
        yield dice.duration("from retriever", 1.0)
        call.end()
        return 8

    def _tools(self, dice: Dice, parent: Span, request_id: str) -> Process:
        if self.faults.tools_in_parallel:
            yield [self.simulation.start(self._tool(dice, parent, name, request_id)) for name in TOOLS]
        else:
            for name in dice.stream("tool order").sample(TOOLS, len(TOOLS)):  # as the model happens to ask for them
                yield from self._tool(dice, parent, name, request_id)

    def _tool(self, dice: Dice, parent: Span, name: str, request_id: str) -> Process:
        span = self._span(
            "orchestrator",
            f"execute_tool {name}",
            parent.context,
            gen_ai__operation__name="execute_tool",
            gen_ai__tool__name=name,
        )
        call = self._span(
            "orchestrator", "POST", span.context, CLIENT, http__request__method="POST", server__address="tools"
        )
        yield dice.duration(f"to {name}", 1.5)
        server = self._server("tools", f"POST /{name}", call.carried(), request_id)
        yield dice.duration(f"tool {name}", 150.0, 0.12)
        server.end()
        yield dice.duration(f"from {name}", 1.0)
        call.end()
        span.end()

    def _infer(
        self, dice: Dice, parent: Span, question: str, documents: int, request_id: str, started: list[bool]
    ) -> Process:
        model, first_ms, sigma = dice.stream("model").choice(self.faults.models)
        self.ledger.by_model[model] = self.ledger.by_model.get(model, 0) + 1
        span = self._span(
            "orchestrator",
            f"chat {model}",
            parent.context,
            CLIENT,
            gen_ai__operation__name="chat",
            gen_ai__request__model=model,
        )
        span.set({"gen_ai.provider.name": "in-house", "server.address": "inference"})
        if self.faults.repeated:
            span.set({"gen_ai.system_instructions": SYSTEM_PROMPT, "gen_ai.input.messages": question})
        began = self.simulation.now
        yield dice.duration("to inference", 2.0)
        server = self._server("inference", "POST /v1/chat/completions", span.carried(), request_id)
        arrived = self.simulation.now
        wait = self._span("inference", "wait_for_slot", server.context)
        yield self.gpu
        yield 50_000
        wait.end()
        self.ledger.queued_ms.append((self.simulation.now - arrived) / MS)
        generate = self._span("inference", "llm_request", server.context)
        words = dice.stream("words").randrange(60, 110)
        if dice.stream("long").random() < self.faults.long_answers:
            self.ledger.long_answers += 1
            words *= 4
        yield dice.duration(f"first {model}", first_ms, sigma)
        span.event("gen_ai.first_token")
        span.set({"gen_ai.response.time_to_first_chunk": (self.simulation.now - began) / 1e9})
        started.append(True)
        yield int(words * dice.duration("per token", 7.0 * first_ms / 260.0 if sigma > 0.5 else 7.0, 0.08))
        generate.end()
        self.simulation.release(self.gpu)
        server.end()
        yield dice.duration("from inference", 1.0)
        tokens = 700 + 40 * documents
        span.set(
            {"gen_ai.response.model": model, "gen_ai.usage.input_tokens": tokens, "gen_ai.usage.output_tokens": words}
        )
        if self.faults.repeated:
            span.set({"gen_ai.usage.cache_read.input_tokens": 0})
        if dice.stream("judged").random() < 0.3:
            score = round(min(1.0, max(0.0, dice.stream("score").gauss(0.8, 0.15))), 2)
            label = "pass" if score >= 0.6 else "fail"
            span.event(
                "gen_ai.evaluation.result",
                {
                    "gen_ai.evaluation.name": "correctness",
                    "gen_ai.evaluation.score.value": score,
                    "gen_ai.evaluation.score.label": label,
                },
            )
        span.end()
