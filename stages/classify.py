"""Which stage does an operation belong to? The default rules (docs/reference/method.md, "Operations and stages"), and the budget file's, which win."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import pyarrow as pa

from overbudget.stages.names import MISSING_SCOPE
from overbudget.stages.rules import Rule, as_recorded, pattern

_OPENINFERENCE = {
    "llm": "inference", "retriever": "retrieval", "embedding": "retrieval", "reranker": "retrieval", "tool": "tools",
    "guardrail": "safety", "prompt": "context", "evaluator": "safety", "agent": "orchestration",
    "chain": "orchestration", "decision": "orchestration",
}  # fmt: skip

# Attribute, and the stage for each value (compared in lower case, JSON quotes stripped); strongest evidence first.
_BY_VALUE: tuple[tuple[str, dict[str, str]], ...] = (
    (
        "gen_ai.operation.name",
        {
            "chat": "inference", "generate_content": "inference", "text_completion": "inference",
            "embeddings": "retrieval", "retrieval": "retrieval", "execute_tool": "tools",
            "await_human_input": "user",
            "invoke_agent": "orchestration", "create_agent": "orchestration", "invoke_workflow": "orchestration",
        },
    ),
    ("mcp.method.name", {"tools/call": "tools", "elicitation/create": "user"}),
    ("openinference.span.kind", _OPENINFERENCE),
    ("traceloop.span.kind", {"tool": "tools", "workflow": "orchestration", "agent": "orchestration", "task": "orchestration"}),
    ("llm.request.type", {"chat": "inference", "completion": "inference", "embedding": "retrieval", "rerank": "retrieval"}),
    (
        "langfuse.observation.type",
        {
            "generation": "inference", "retriever": "retrieval", "embedding": "retrieval", "tool": "tools",
            "guardrail": "safety", "evaluator": "safety", "agent": "orchestration", "chain": "orchestration",
            "span": "orchestration",
        },
    ),
    (
        "langsmith.span.kind",
        {
            "llm": "inference", "retriever": "retrieval", "embedding": "retrieval", "tool": "tools",
            "prompt": "context", "parser": "shaping", "chain": "orchestration",
        },
    ),
    ("mlflow.spanType", {**_OPENINFERENCE, "chat_model": "inference", "parser": "shaping"}),
    (
        "ai.operationId",
        {
            "ai.generatetext": "orchestration", "ai.streamtext": "orchestration", "ai.generateobject": "orchestration",
            "ai.streamobject": "orchestration", "ai.toolcall": "tools",
        },
    ),
)  # fmt: skip

# Names of spans, tools and functions that say, as a whole, that a person is asked. Part of a name says nothing: `prompt_user`
# may write the prompt, and `human_input_parser` parses.
_PERSON = frozenset({
    "blocked on user", "claude code tool blocked on user", "permission prompt", "permission request", "request permission",
    "human approval", "await human approval", "wait for human approval", "request human approval", "human approval request",
    "human input", "await human input", "wait for human input", "request human input", "get human input", "ask human",
    "wait for human", "wait for user", "wait for user input", "await user input", "ask user question", "human in the loop",
    "wait for approval", "await approval", "user approval", "wait for user approval", "await user approval",
    "elicitation create",
})  # fmt: skip
_TOOL_SAYS = re.compile(r"^(execute tool|running tool|tool call|tool) ")

_VECTOR_STORES = {"pinecone", "qdrant", "chroma", "chromadb", "weaviate", "milvus", "marqo", "lancedb", "pgvector"}
_VECTOR_PREFIXES = ("pinecone.", "qdrant.", "db.chroma.", "db.milvus.", "db.marqo.", "db.pinecone.", "db.qdrant.")
_VECTOR_NAMES = (*_VECTOR_PREFIXES, "chroma.", "milvus.", "marqo.", "weaviate.")

# Words in names of spans, functions and tasks, when nothing else speaks. Words are matched after `search_docs`,
# `searchDocs` and `search-docs` have become "search docs".
_BY_WORD: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("retrieval", re.compile(r"\b(retriev|search|rerank|embed)\w*")),
    ("context", re.compile(r"\b\w*prompt\w*|\bbuild context|\bassembl\w*")),
    ("safety", re.compile(r"\b(guard|moderat|pii)\w*|\bsafety\b")),
    ("shaping", re.compile(r"\b(format|render|postprocess)\w*|\bpost process\w*|\bparse output\w*")),
    ("queue", re.compile(r"\bqueue\w*|\bwait for slot\b")),
)
_WORD_BREAKS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")


@dataclass(frozen=True)
class Decision:
    """What a rule said: the stage (None: no rule applies), whether it is weak, what must stand above, and in words why."""

    stage: str | None = None
    weak: bool = False
    under: str | None = None  # counts only where the innermost classified span above is of this stage
    rule: str | None = None


def classify(
    operations: pa.Table, rules: Sequence[Rule] = (), evidence: Sequence[Mapping[str, str | None]] | None = None
) -> list[Decision]:
    """One decision per operation.

    `operations` has service_name, scope_name, name, kind and keys (MAP). `rules` are the budget file's; the first that
    matches wins over every default rule. Rules that name an attribute outside an operation's keys are matched against
    `evidence`, one mapping per operation (see `needs_evidence`).
    """
    columns = [operations[name].to_pylist() for name in ("service_name", "scope_name", "name", "kind", "keys")]
    decisions = []
    for row, (service, scope, name, kind, keys) in enumerate(zip(*columns, strict=True)):
        known = dict(keys)
        if scope == MISSING_SCOPE:  # its name is its child's
            decisions.append(Decision())
            continue
        if rules:
            said = {**known, **evidence[row]} if evidence else known
            own = next((rule for rule in rules if _matches(rule, service, scope, name, kind, said)), None)
            if own is not None:
                decisions.append(Decision(own.stage, own.weak, None, f"budget: {own}"))
                continue
        decisions.append(by_default(name, kind, known))
    return decisions


def needs_evidence(rules: Sequence[Rule], known_keys: Sequence[str]) -> list[str]:
    """The attributes that `rules` ask for and operations of `known_keys` cannot answer: ask the spans."""
    return sorted({rule.attribute for rule in rules if rule.attribute is not None} - set(known_keys))


def _matches(rule: Rule, service: str, scope: str, name: str, kind: str, keys: Mapping[str, str | None]) -> bool:
    if rule.attribute is not None:
        if rule.attribute not in keys:
            return False
        if rule.equals and keys[rule.attribute] not in rule.equals:
            return False
    asked = (
        (None if rule.name is not None and as_recorded(rule.name) in keys else rule.name, name),
        (rule.service, service),
        (rule.scope, scope),
    )
    if not all(glob is None or pattern(glob).fullmatch(text) for glob, text in asked):
        return False
    return rule.kind is None or rule.kind.upper() == kind


def by_default(name: str, kind: str, keys: Mapping[str, str | None]) -> Decision:
    """The decision of the default rules, strongest evidence first."""
    if kind not in ("SERVER", "CONSUMER") and _asks_a_person(name):
        return Decision("user", rule=f"span name {name}")
    for key, stages in _BY_VALUE:
        value = keys.get(key)
        if value is None:
            continue
        plain = value.strip('"').lower()
        stage = stages.get(plain)
        if stage is None and key == "ai.operationId":
            stage = _vercel(plain)
        if stage is not None:
            return Decision(stage, rule=f"{key} = {value}")
    vercel = _vercel(name.lower().split(" ")[0]) if name.startswith("ai.") else None
    if vercel is not None:
        return Decision(vercel, rule=f"span name {name}")
    return _vector_store(name, keys) or _plain_client(kind, keys) or _by_name(name, kind, keys)


@lru_cache(maxsize=65536)
def _asks_a_person(name: str) -> bool:
    """Whether the whole name says that a person is asked, however its words are written: `AskUserQuestion`, `human_input`."""
    words = _WORD_BREAKS.sub(" ", name[:80]).strip().lower()
    return words in _PERSON or _TOOL_SAYS.sub("", words) in _PERSON


def _vercel(operation: str) -> str | None:
    if operation.endswith((".dogenerate", ".dostream")):
        return "inference"
    if operation.startswith("ai.embed"):
        return "retrieval"
    return dict(_BY_VALUE)["ai.operationId"].get(operation)


def _vector_store(name: str, keys: Mapping[str, str | None]) -> Decision | None:
    for key in ("db.system.name", "db.system"):
        system = (keys.get(key) or "").lower()
        if system in _VECTOR_STORES:
            return Decision("retrieval", rule=f"{key} = {system}")
        asked = f"{keys.get('db.operation.name') or keys.get('db.operation') or ''} {name}".lower()
        if system in ("elasticsearch", "opensearch") and "knn" in asked:
            return Decision("retrieval", rule=f"{key} = {system} with a knn query")
    if "db.vector.query.top_k" in keys:
        return Decision("retrieval", rule="db.vector.query.top_k is there")
    for key in keys:
        if key.startswith(_VECTOR_PREFIXES):
            return Decision("retrieval", rule=f"{key} is there")
    if name.lower().startswith(_VECTOR_NAMES):
        return Decision("retrieval", rule=f"span name {name}")
    return None


def _plain_client(kind: str, keys: Mapping[str, str | None]) -> Decision | None:
    """Weak rules: they count only where no classified span stands above."""
    if kind in ("SERVER", "CONSUMER"):
        return None
    for key in ("db.system.name", "db.system"):
        if keys.get(key):
            return Decision("database", True, None, f"{key} = {keys[key]}")
    if keys.get("messaging.system"):
        return Decision("queue", True, None, f"messaging.system = {keys['messaging.system']}")
    if kind == "CLIENT":
        for key in ("http.request.method", "http.method", "rpc.system", "rpc.system.name"):
            if key in keys:
                return Decision("tools", True, "orchestration", f"client span with {key}, called by an agent")
    return None


def _by_name(name: str, kind: str, keys: Mapping[str, str | None]) -> Decision:
    speaks = ("http.request.method", "http.method", "rpc.system", "rpc.system.name", "messaging.system")
    if name == "llm_request":
        return Decision("inference", rule="span name llm_request")
    if any(key in keys for key in speaks):
        return Decision()
    stage = _stage_of_words(name)
    return Decision(stage, rule=f"words of the span name {name}") if stage else Decision()


@lru_cache(maxsize=65536)
def _stage_of_words(name: str) -> str | None:
    words = _WORD_BREAKS.sub(" ", name[:200]).lower()
    return next((stage for stage, expression in _BY_WORD if expression.search(words)), None)
