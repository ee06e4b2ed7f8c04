"""What to change first: each advice with evidence for and against, its predicted effect, and the command that shows it.

Every source proposes changes (`Proposal`); the replay tells their effect (docs/reference/method.md, Advice); what has none is not advised.
"""

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import duckdb

from overbudget.analysis.advice.proposal import Confidence, Kind, Proposal
from overbudget.analysis.advice.sources import SOURCES
from overbudget.analysis.budget.model import Budget
from overbudget.analysis.common.durations import duration_literal
from overbudget.analysis.requests.table import Filters
from overbudget.analysis.whatif.changes import (
    Cache,
    Cap,
    Change,
    Drop,
    DropRetries,
    Parallel,
    Scale,
    Servers,
    Tokens,
    join_names,
)
from overbudget.analysis.whatif.whatif import WhatIf, Workbench

LEAST_EFFECT = 0.01  # of p95, or of p50 or p99
WEIGHED_BY = 95


@dataclass(frozen=True)
class Effect:
    """A percentile before and after, in ns."""

    percentile: int
    before_ns: int
    after_ns: int


@dataclass(frozen=True)
class Advice:
    """One thing to change, by `changes`. `requests` would take another time; `command` begins with "overbudget whatif"."""

    kind: Kind
    operations: tuple[dict[str, str], ...]
    requests: int
    evidence: tuple[str, ...]
    against: tuple[str, ...]
    confidence: Confidence
    effect: tuple[Effect, ...]
    within_budget: tuple[float, float] | None
    command: str
    changes: tuple[Change, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts and lists with the keys of docs/reference/json.md."""
        found = asdict(self)
        found["try"] = found.pop("command")
        del found["changes"]
        before, after = self.within_budget or (None, None)
        return {**found, "within_budget": {"before": before, "after": after}}


def advise(
    connection: duckdb.DuckDBPyConnection,
    dataset: str,
    budget: Budget | None = None,
    filters: Filters | None = None,
    budget_file: str | None = None,
) -> list[Advice]:
    """Everything worth changing, the largest effect on p95 first. `dataset` and `budget_file` are named in the commands."""
    bench = Workbench(connection, budget, filters)
    return weigh(bench, proposals(bench), dataset, budget, filters, budget_file)


def proposals(bench: Workbench) -> list[Proposal]:
    """What may be worth changing, whatever the caps."""
    return [proposal for source in SOURCES for proposal in source(bench)]


def weigh(
    bench: Workbench,
    proposed: Sequence[Proposal],
    dataset: str,
    budget: Budget | None = None,
    filters: Filters | None = None,
    budget_file: str | None = None,
) -> list[Advice]:
    """The proposals that have an effect, the largest effect on p95 first."""
    found = []
    for proposal in proposed:
        effect = bench.what_if(proposal.changes, budget)
        if _matters(effect):
            found.append(_advice(proposal, effect, what_if_command(dataset, proposal.changes, filters, budget_file)))
    return sorted(found, key=lambda advice: (_gain(advice), advice.kind, advice.command))


def _matters(effect: WhatIf) -> bool:
    sides = zip(effect.before, effect.after, strict=True)
    return any(old and new is not None and old - new >= LEAST_EFFECT * old for (p, old), (_, new) in sides if p != 75)


def _gain(advice: Advice) -> int:
    one = next(effect for effect in advice.effect if effect.percentile == WEIGHED_BY)
    return one.after_ns - one.before_ns


def _advice(proposal: Proposal, effect: WhatIf, command: str) -> Advice:
    return Advice(
        proposal.kind,
        tuple({"service_name": service, "name": name} for service, name in proposal.operations),
        effect.requests_changed,
        proposal.evidence,
        proposal.against,
        proposal.confidence,
        tuple(Effect(p, old or 0, new or 0) for (p, old), (_, new) in zip(effect.before, effect.after, strict=True)),
        effect.within,
        command,
        proposal.changes,
    )


def what_if_command(
    dataset: str, changes: Sequence[Change], filters: Filters | None = None, budget_file: str | None = None
) -> str:
    """The what-if that reproduces an effect, ready for a shell."""
    words = ["overbudget", "whatif", _quoted(dataset)]
    for change in changes:
        match change:
            case Cap():
                words += ["--cap", _quoted(f"{change.what}={duration_literal(change.ns)}")]
            case Scale():
                words += ["--scale", _quoted(f"{change.what}={change.factor:g}")]
            case Parallel():
                words += ["--parallel", _quoted(join_names(change.operations))]
            case Cache():
                words += ["--cache", _quoted(f"{change.operation}={duration_literal(change.ttl_ns)}")]
            case DropRetries():
                words.append("--drop-retries")
            case Drop():
                words += ["--drop", _quoted(change.operation)]
            case Servers():
                words += ["--servers", _quoted(f"{change.operation}={change.servers}")]
            case Tokens(most=None):
                words += ["--tokens", _quoted(f"{change.side}={change.factor:g}")]
            case Tokens():
                words += ["--tokens", _quoted(f"{change.side}<={change.most}")]
    if budget_file:
        words += ["--budget", _quoted(budget_file)]
    for key, values in (filters or Filters()).as_dict().items():
        for value in [values] if isinstance(values, str) else values:
            words += ["--only", _quoted(f"{key}={value}")]
    return " ".join(words)


def _quoted(word: str) -> str:
    return shlex.quote(word)
