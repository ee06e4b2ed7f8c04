"""The budget: caps for whole requests and for stages, per percentile and route, and the rules a team adds.

How caps are judged is in docs/reference/method.md, "Budgets and verdicts"; the file format is in docs/reference/budget-file.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from overbudget.analysis.budget.objective import Objective
from overbudget.stages.name_template import template
from overbudget.stages.names import FIRST_TOKEN, TOTAL
from overbudget.stages.redaction import Redaction
from overbudget.stages.rules import Rule

Caps = Mapping[int, int]  # percentile (or LIMIT) → ns
LIMIT = 100  # the percentile of `max`: no request (in caps of calls, no call) may exceed it
CALL_FIGURES = (
    "call_first_token",
    "call_per_output_token",
)  # of each model call, from its start; of each token after the first
CallCaps = Mapping[str, Caps]  # one of CALL_FIGURES → caps
CallKind = Literal["stage", "model"]  # what the calls are of


@dataclass(frozen=True)
class StageBudget:
    """Caps of one stage or part of a stage, those of each of its model calls, and the rules that say which operations
    belong to it."""

    caps: Caps = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    calls: CallCaps = field(default_factory=dict)


@dataclass(frozen=True)
class RouteBudget:
    """The budget of one route. What it does not set comes from the general budget.

    Caps are replaced as a whole: a route with any cap for the whole request has only those, and likewise for its first
    token and per stage.
    """

    caps: Caps = field(default_factory=dict)
    stages: Mapping[str, Caps] = field(default_factory=dict)
    first_token: Caps = field(default_factory=dict)

    def stage_caps(self, stage: str) -> Caps:
        """The caps of `stage` on this route alone, empty where it has none."""
        return self.stages.get(stage, {})


@dataclass(frozen=True)
class Good:
    """What counts as a good answer: the score `name` (None: any that is recorded) within the limits."""

    name: str | None = None
    at_least: float | None = None
    at_most: float | None = None


@dataclass(frozen=True)
class Budget:
    """A budget as read. `Budget()` is no budget: nothing is capped and the default rules apply.
    `redact` holds at ingest alone.

    `first_token` caps the first token of a request's answer, `stages` has parts of stages too (`inference.writing`), and
    `models` the caps of each call of the models that a pattern names. `failures_apart` leaves failed requests out of percentiles. `remarks` name what is allowed but worth checking.
    `objective` is the share of requests to be within the cap over weeks. `as_read` is the file as a dict, `name` is its name
    in messages.
    """

    caps: Caps = field(default_factory=dict)
    stages: Mapping[str, StageBudget] = field(default_factory=dict)
    routes: Mapping[str, RouteBudget] = field(default_factory=dict)
    request_match: tuple[Rule, ...] = ()
    background: tuple[Rule, ...] = ()  # spans that nothing waits for
    good: Good | None = None
    redact: Redaction = field(default_factory=Redaction)
    failures_apart: bool = False
    remarks: tuple[str, ...] = ()
    as_read: Mapping[str, Any] = field(default_factory=dict)
    name: str = "budget.toml"
    first_token: Caps = field(default_factory=dict)
    models: Mapping[str, CallCaps] = field(default_factory=dict)
    objective: Objective | None = None

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules of all stages in the order of the file; if several match an operation, the first decides."""
        return tuple(rule for stage in self.stages.values() for rule in stage.rules)

    @property
    def reading(self) -> tuple[tuple[Rule, ...], tuple[Rule, ...], tuple[Rule, ...], Good | None]:
        """The parts of the budget that change which times are measured (caps do not). Hashable: a key for caches."""
        return self.rules, self.request_match, self.background, self.good

    def reads_otherwise(self) -> bool:
        """Whether its rules make other requests, or other stages, of a dataset than those stored in it."""
        return bool(self.rules or self.request_match or self.background)

    def capped(self) -> tuple[str, ...]:
        """What is capped of requests of any route: TOTAL, FIRST_TOKEN, stages and parts of them; not what is of single calls."""
        return tuple(what for what in (TOTAL, FIRST_TOKEN, *self.stages) if self.caps_on(what))

    def own_of(self, route: str) -> RouteBudget | None:
        """What the budget says about `route` alone; it may name the route with an id that is masked in the data."""
        named = (one for name, one in self.routes.items() if template(name) == route)
        return self.routes[route] if route in self.routes else next(named, None)

    def for_route(self, route: str) -> "Budget":
        """The budget that applies to requests of `route` alone."""
        own = self.own_of(route)
        if own is None:
            return replace(self, routes={})
        stages = dict(self.stages)
        for name, caps in own.stages.items():
            stages[name] = replace(stages.get(name, StageBudget()), caps=caps)
        first_token = own.first_token or self.first_token
        return replace(self, caps=own.caps or self.caps, stages=stages, first_token=first_token, routes={})

    def stage_caps(self, stage: str) -> Caps:
        """The caps of `stage`, empty where it has none."""
        return self.stages[stage].caps if stage in self.stages else {}

    def caps_on(self, what: str) -> Caps:
        """The caps on the whole request (TOTAL), its FIRST_TOKEN, a stage or a part of one; empty where there are none."""
        if what == TOTAL:
            return self.caps
        return self.first_token if what == FIRST_TOKEN else self.stage_caps(what)

    def call_caps(self) -> dict[tuple[CallKind, str], CallCaps]:
        """The caps of each model call: by ("stage", its name) or ("model", a pattern for its name)."""
        found: dict[tuple[CallKind, str], CallCaps] = {}
        found |= {("stage", name): stage.calls for name, stage in self.stages.items() if stage.calls}
        return found | {("model", name): calls for name, calls in self.models.items() if calls}


def cap_name(percentile: int) -> str:
    """How a budget file names the cap at a percentile: `p95`, `max`."""
    return "max" if percentile == LIMIT else f"p{percentile}"


def cap_at(caps: Caps, percentile: int) -> tuple[int | None, bool]:
    """The cap in ns that applies at `percentile`, and whether it is borrowed.

    It is the one given for the percentile; else the one given for the next higher percentile, because a cap of 400 ms at
    p95 includes p50; above the highest given percentile that highest cap is borrowed, which is used for blame and never
    for a verdict (docs/reference/method.md). (None, False) without any cap.
    """
    if not caps:
        return None, False
    at_or_above = [p for p in caps if p >= percentile]
    if at_or_above:
        return caps[min(at_or_above)], False
    return caps[max(caps)], True
