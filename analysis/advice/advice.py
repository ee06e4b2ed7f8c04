"""What to change first: each advice with evidence for and against, its predicted effect, and the command that shows it.

Every source proposes changes (`Proposal`); the replay gives their effect (docs/reference/method.md, Advice); a proposal without effect is no advice.
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
from overbudget.analysis.whatif.bounds import Bound, Doubt
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
    """One thing to change, by `changes`. `requests` would get another latency; `command` shows that. Without `effect` no saving is
    predicted."""

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
    bound: Bound | None = None  # on which side of the truth the effect is, where `doubts` make it inexact
    doubts: tuple[Doubt, ...] = ()

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
    """What may be worth changing, independent of the caps."""
    return [proposal for source in SOURCES for proposal in source(bench)]


def weigh(
    bench: Workbench,
    proposed: Sequence[Proposal],
    dataset: str,
    budget: Budget | None = None,
    filters: Filters | None = None,
    budget_file: str | None = None,
) -> list[Advice]:
    """The proposals that have an effect, the largest effect on p95 first; proposals without a predicted saving come last.

    No two count the same seconds: a proposal that has less than half of its effect after those before it is left out.
    """
    found: list[tuple[Proposal, WhatIf, str]] = []
    for proposal in proposed:
        effect = bench.what_if(proposal.changes, budget)
        if proposal.changes and _matters(effect):
            found.append((proposal, effect, what_if_command(dataset, proposal.changes, filters, budget_file)))
    found.sort(key=lambda one: (-_gain(one[1]), one[0].kind, one[2]))
    kept: list[Advice] = []
    done: tuple[Change, ...] = ()
    for proposal, effect, command in found:
        if not done or _adds(bench, done, proposal.changes, effect, budget):
            kept.append(_advice(proposal, effect, command))
            done = (*done, *proposal.changes)
    for proposal in proposed:
        if not proposal.changes:
            shown = "audit" if proposal.kind == "instrument" else "tail"
            kept.append(_advice(proposal, None, f"overbudget {shown} {_quoted(dataset)}"))
    return kept


def _adds(
    bench: Workbench, done: tuple[Change, ...], changes: tuple[Change, ...], alone: WhatIf, budget: Budget | None
) -> bool:
    """Whether the changes still save at least half of what they save alone, when others are made already."""
    before, after = bench.what_if(done, budget), bench.what_if((*done, *changes), budget)
    at = max(range(len(alone.before)), key=lambda k: _saved(alone, k))
    return _saved(alone, at) <= 2 * ((before.after[at][1] or 0) - (after.after[at][1] or 0))


def _saved(effect: WhatIf, place: int) -> int:
    return (effect.before[place][1] or 0) - (effect.after[place][1] or 0)


def _matters(effect: WhatIf) -> bool:
    sides = zip(effect.before, effect.after, strict=True)
    return any(old and new is not None and old - new >= LEAST_EFFECT * old for (p, old), (_, new) in sides if p != 75)


def _gain(effect: WhatIf) -> int:
    """By how much it lowers the percentile that advice is ordered by."""
    return next(_saved(effect, k) for k, (p, _) in enumerate(effect.before) if p == WEIGHED_BY)


def _advice(proposal: Proposal, effect: WhatIf | None, command: str) -> Advice:
    doubted = effect is not None and bool(effect.doubts)
    sides = zip(effect.before, effect.after, strict=True) if effect else ()
    return Advice(
        proposal.kind,
        tuple({"service_name": service, "name": name} for service, name in proposal.operations),
        effect.requests_changed if effect else 0,
        proposal.evidence,
        proposal.against,
        "plausible" if doubted and proposal.confidence == "strong" else proposal.confidence,
        tuple(Effect(p, old or 0, new or 0) for (p, old), (_, new) in sides),
        effect.within if effect else None,
        command,
        proposal.changes,
        effect.bound if effect else None,
        effect.doubts if effect else (),
    )


def what_if_command(
    dataset: str, changes: Sequence[Change], filters: Filters | None = None, budget_file: str | None = None
) -> str:
    """The what-if command that reproduces an effect, ready for a shell."""
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
                limit = "" if change.after is None else f">{change.after}"
                words += ["--drop", _quoted(f"{change.operation}{limit}")]
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
