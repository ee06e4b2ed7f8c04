"""The stage of an operation: the default rules (docs/reference/method.md, "Operations and stages"), and the budget file's, which win."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import pyarrow as pa

from overbudget.stages.attribute_keys import MODEL_RECORDED, TOKENS_RECORDED, VECTOR_QUERY_TEXT
from overbudget.stages.conventions import (
    KINDS,
    NAMES,
    OPERATIONS,
    PRESENCE,
    VECTOR_NAMES,
    VECTOR_PREFIXES,
    VECTOR_QUERY_OF,
    VECTOR_STORES,
    Convention,
)
from overbudget.stages.name_words import searches_or_embeds, stage_of_words, words_of
from overbudget.stages.names import MISSING_SCOPE, UNKNOWN_SERVICE
from overbudget.stages.rules import Rule, as_recorded, pattern

# Whole names of spans, tools and functions that mean that a person is asked. Part of a name means nothing: `prompt_user` may
# write the prompt, and `human_input_parser` parses.
_PERSON = frozenset({
    "blocked on user", "claude code tool blocked on user", "permission prompt", "permission request", "request permission",
    "human approval", "await human approval", "wait for human approval", "request human approval", "human approval request",
    "human input", "await human input", "wait for human input", "request human input", "get human input", "ask human",
    "wait for human", "wait for user", "wait for user input", "await user input", "ask user question", "human in the loop",
    "wait for approval", "await approval", "user approval", "wait for user approval", "await user approval",
    "elicitation create",
})  # fmt: skip
_TOOL_SAYS = re.compile(r"^(execute tool|running tool|tool call|tool) ")


@dataclass(frozen=True)
class Decision:
    """The result of a rule: the stage (None: no rule applies), whether it is weak, its conditions, and the reason in words."""

    stage: str | None = None
    weak: bool = False
    under: str | None = None  # counts only where the innermost classified span above is of this stage
    below: str = ""  # counts only where "nothing" classified is below, or "nothing else" than its stage
    otherwise: str | None = None  # the stage if that condition fails
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
        if scope == MISSING_SCOPE:  # its name is that of its child
            decisions.append(Decision())
            continue
        if rules:
            said = {**known, **evidence[row]} if evidence else known
            own = next((rule for rule in rules if _matches(rule, service, scope, name, kind, said)), None)
            if own is not None:
                decisions.append(Decision(own.stage, own.weak, rule=f"budget: {own}"))
                continue
        decisions.append(by_default(name, kind, known, scope, service))
    return decisions


def needs_evidence(rules: Sequence[Rule], known_keys: Sequence[str]) -> list[str]:
    """The attributes that `rules` use and that are not among `known_keys`: the spans must be asked."""
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


def by_default(
    name: str, kind: str, keys: Mapping[str, str | None], scope: str = "", service: str = UNKNOWN_SERVICE
) -> Decision:
    """The decision of the default rules, strongest evidence first (docs/reference/method.md, Operations and stages).

    In this order: what a span does (an operation, a vector store's query, a tool call), its kind if that is specific, the
    names that frameworks give their spans, a recorded model, a kind that only says that the span contains others, and
    last the words of its name.
    """
    if kind not in ("SERVER", "CONSUMER") and _asks_a_person(name):
        return Decision("user", rule=f"span name {name}")
    return (
        _remote_agent(kind, keys)
        or _by_value(OPERATIONS, keys)
        or _vector_query(name, keys)
        or _by_value(KINDS, keys)
        or _by_framework(name, f"{scope} {service}".lower())
        or _by_presence(name, keys)
        or _generic(name, keys)
        or _plain_client(kind, keys)
        or _by_words(name, keys)
    )


@lru_cache(maxsize=65536)
def _asks_a_person(name: str) -> bool:
    """Whether the whole name means that a person is asked, however it is spelled: `AskUserQuestion`, `human_input`."""
    words = words_of(name[:80])
    return words in _PERSON or _TOOL_SAYS.sub("", words) in _PERSON


def _plain(convention: Convention, value: str) -> str:
    """A value as in the tables: lower case, without JSON's quotes; of a JSON object, its deciding field."""
    if convention.inside is None:
        return value.strip('"').lower()
    found = re.search(rf'"{convention.inside}"\s*:\s*"([^"]*)"', value)
    return (found[1] if found else value).lower()


def _by_value(conventions: Sequence[Convention], keys: Mapping[str, str | None]) -> Decision | None:
    for convention in conventions:
        value = keys.get(convention.key)
        if value is None:
            continue
        plain = _plain(convention, value)
        stage = convention.stages.get(plain) or _first_match(convention.patterns, plain)
        if stage is not None:
            return Decision(stage, rule=f"{convention.key} = {value}")
    return None


def _remote_agent(kind: str, keys: Mapping[str, str | None]) -> Decision | None:
    """An agent that is called over the network and records what its model read or wrote: the call is inference, unless spans
    below record the model calls."""
    if kind != "CLIENT" or TOKENS_RECORDED not in keys:
        return None
    found = _by_value(OPERATIONS, keys)
    if found is None or found.stage != "orchestration":
        return None
    rule = f"{found.rule} of a client with {TOKENS_RECORDED}, and nothing classified below"
    return Decision("inference", below="nothing", otherwise="orchestration", rule=rule)


def _first_match(patterns: Sequence[tuple[str, str]], text: str) -> str | None:
    return next((stage for expression, stage in patterns if re.fullmatch(expression, text)), None)


def _by_framework(name: str, origin: str) -> Decision | None:
    """The stage that a framework's span name gives."""
    plain = name.lower()
    if plain.startswith("ai."):
        vercel = _by_value(OPERATIONS, {"ai.operationId": name.split(" ")[0]})
        if vercel is not None:
            return Decision(vercel.stage, rule=f"span name {name}")
    for named in NAMES:
        if named.origin in origin and (stage := _first_match(named.names, plain)):
            return Decision(stage, rule=f"span name {name}")
    return None


def _by_presence(name: str, keys: Mapping[str, str | None]) -> Decision | None:
    for key, stage in PRESENCE:
        if key in keys:
            return Decision(stage, rule=f"{key} is set")
    if MODEL_RECORDED in keys or TOKENS_RECORDED in keys:
        what = MODEL_RECORDED if MODEL_RECORDED in keys else TOKENS_RECORDED
        if searches_or_embeds(name):
            return Decision("retrieval", rule=f"{what}, and words of the span name {name}")
        otherwise = "orchestration" if _generic(name, keys) else None
        return Decision("inference", below="nothing", otherwise=otherwise, rule=f"{what}, and nothing classified below")
    return None


def _generic(name: str, keys: Mapping[str, str | None]) -> Decision | None:
    """For a span whose kind says that it contains others: the stage of its name, if those others do nothing else."""
    for convention in (*OPERATIONS, *KINDS):
        value = keys.get(convention.key)
        if value is None or _plain(convention, value) not in convention.generic:
            continue
        stage = stage_of_words(name)
        if stage is None:
            return Decision("orchestration", rule=f"{convention.key} = {value}")
        rule = f"words of the span name {name}, {convention.key} = {value}"
        return Decision(stage, below="nothing else", otherwise="orchestration", rule=rule)
    return None


def _vector_query(name: str, keys: Mapping[str, str | None]) -> Decision | None:
    for key in ("db.system.name", "db.system"):
        system = (keys.get(key) or "").lower()
        if system in VECTOR_STORES:
            return Decision("retrieval", rule=f"{key} = {system}")
        asked = f"{keys.get('db.operation.name') or keys.get('db.operation') or ''} {name}".lower()
        if system in VECTOR_QUERY_OF and (VECTOR_QUERY_TEXT in keys or re.search(VECTOR_QUERY_OF[system], asked)):
            return Decision("retrieval", rule=f"{key} = {system} with a vector query")
    if "db.vector.query.top_k" in keys:
        return Decision("retrieval", rule="db.vector.query.top_k is set")
    for key in keys:
        if key.startswith(VECTOR_PREFIXES):
            return Decision("retrieval", rule=f"{key} is set")
    if name.lower().startswith(VECTOR_NAMES):
        return Decision("retrieval", rule=f"span name {name}")
    return None


def _plain_client(kind: str, keys: Mapping[str, str | None]) -> Decision | None:
    """Weak rules: they count only where no classified span is above."""
    if kind in ("SERVER", "CONSUMER"):
        return None
    for key in ("db.system.name", "db.system"):
        if keys.get(key):
            return Decision("database", True, None, rule=f"{key} = {keys[key]}")
    if keys.get("messaging.system"):
        return Decision("queue", True, None, rule=f"messaging.system = {keys['messaging.system']}")
    if kind == "CLIENT":
        for key in ("http.request.method", "http.method", "rpc.system", "rpc.system.name"):
            if key in keys:
                return Decision("tools", True, "orchestration", rule=f"client span with {key}, called by an agent")
    return None


def _by_words(name: str, keys: Mapping[str, str | None]) -> Decision:
    speaks = ("http.request.method", "http.method", "rpc.system", "rpc.system.name", "messaging.system")
    if any(key in keys for key in speaks):
        return Decision()
    stage = stage_of_words(name)
    return Decision(stage, rule=f"words of the span name {name}") if stage else Decision()
