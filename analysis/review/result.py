"""The result of a review: the dataclasses mirror `overbudget review --json` (docs/reference/json.md)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from overbudget.analysis.budget.caps import MAIN_PERCENTILE
from overbudget.analysis.causes.why import Why
from overbudget.analysis.deployments.deployments import Deployment
from overbudget.analysis.objective.error_budget import ErrorBudget
from overbudget.analysis.review.burn_down import Left, RunsOut
from overbudget.analysis.review.evidence import DatasetFacts
from overbudget.analysis.review.first_token import FirstTokenCause
from overbudget.analysis.review.good_answers import GoodAnswers
from overbudget.analysis.review.limits import CallLimitRow, LimitRow
from overbudget.analysis.review.measure import LostSpans
from overbudget.analysis.review.parts_over import PartsOver
from overbudget.analysis.review.rows import TOTAL, CallRow, FirstTokenRow, PercentileRow, StageRow
from overbudget.stages.names import MUCH_UNATTRIBUTED, UNATTRIBUTED

Basis = Literal["cap", "typical", "largest"]
MOST_SERVICES = 7  # that are shown separately
OTHER_SERVICES = "other services"


@dataclass(frozen=True)
class BandStage:
    """A stage in the breakdown: mean time, share of the band's latency, cap (`borrowed` from a lower percentile or
    not), and its overrun over the cap or over typical requests."""

    stage: str
    mean_ns: int
    share: float
    budget_ns: int | None
    borrowed: bool
    overrun_ns: int
    blame: float


@dataclass(frozen=True)
class ServicePart:
    """A service in the breakdown: the mean time of its own spans and of the hops to it, and its share of the latency."""

    service_name: str
    mean_ns: int
    share: float


@dataclass(frozen=True)
class CauseOperation:
    """An operation's self time, or with `hop_to` the time that passes before that service starts on its calls.

    `excess_ns` is what it takes beyond `typical_ns`, its mean in typical requests. `tail` says whether that growth is
    the reason; else it takes about as long in every request and is merely the largest part of the stage.
    `awaited_share` is the part of `mean_ns` that the request waited for; the rest is time in which it merely ran.
    `callee_ns` is the time that the called service then takes, None where it is not instrumented. `why` says why it takes
    more, where growth is the reason.
    """

    service_name: str
    name: str
    hop_to: str | None
    excess_ns: int
    mean_ns: int
    typical_ns: int | None
    callee_ns: int | None
    tail: bool
    awaited_share: float = 1.0
    why: Why | None = None


@dataclass(frozen=True)
class Culprit:
    """The stage with the largest overrun. `basis` says what it overran: its cap, or its mean in typical requests; or that
    everything is slow and it is the `largest` part, as large as the time over the cap or at least half of the band."""

    stage: str
    overrun_ns: int
    blame: float
    basis: Basis
    operation: CauseOperation | None


@dataclass(frozen=True)
class Suspect:
    """A part of a band in which everything is slow: a stage, or an operation of the time that no stage explains."""

    stage: str
    mean_ns: int
    operation: CauseOperation | None


@dataclass(frozen=True)
class Extreme:
    """One request of a band that makes up `share` of the band's spread, and its latency."""

    latency_ns: int
    share: float


@dataclass(frozen=True)
class Streaming:
    """Mean inference time in parts: waiting for the first token, writing, and where no first token is recorded."""

    waiting_ns: int
    writing_ns: int
    untold_ns: int


@dataclass(frozen=True)
class Breakdown:
    """What a request at a percentile is made of; no stages with fewer than five requests in the band.

    `band_incomplete` counts the requests of that rank that were left out because spans are missing; if they are more than
    a third, there is no culprit, because it may be what they lost. If there is no culprit for another reason, `any_of`
    lists the parts of which each alone would be enough (`everything_slow`: typical requests are over the cap too), or the
    spread is natural. `extreme` is a request that makes up more than a third of the band's spread. `services` divide the
    same time by service, the largest first; they sum to it too.
    """

    percentile: int
    band_requests: int
    band_latency_ns: int | None
    stages: tuple[BandStage, ...]
    culprit: Culprit | None
    streaming: Streaming | None = None
    band_incomplete: int = 0
    everything_slow: bool = False
    natural_spread: bool = False
    any_of: tuple[Suspect, ...] = ()
    extreme: Extreme | None = None
    services: tuple[ServicePart, ...] = ()
    left_of_ns: int | None = None  # the total cap at the percentile, of which `Review.left` says what is left
    largest_unattributed: Suspect | None = None  # the operation that takes half of the band or more outside every stage


@dataclass(frozen=True)
class AllSlow:
    """Every selected request exceeds the cap at `percentile`, however few they are: what they are made of together."""

    percentile: int
    budget_ns: int
    requests: int
    latency_ns: int
    culprit: Culprit | None
    any_of: tuple[Suspect, ...]


@dataclass(frozen=True)
class MeanRequest:
    """Mean latency and stage times of some requests; the stage means sum to the latency, and so do those of `services`."""

    requests: int
    latency_ns: int
    stages: tuple[dict[str, Any], ...]
    services: tuple[ServicePart, ...] = ()


@dataclass(frozen=True)
class RouteReview:
    """One route against its budget; `stages` and `first_token` only where the budget names the route."""

    route: str
    requests: int
    end_to_end: tuple[PercentileRow, ...]
    stages: tuple[StageRow, ...]
    first_token: tuple[FirstTokenRow, ...] = ()


@dataclass(frozen=True)
class WithWait:
    """A percentile of the whole request including the time spent waiting for a person."""

    percentile: int
    duration_ns: int | None


@dataclass(frozen=True)
class Waited:
    """How many requests waited for a person, how long (the median of those that did, and the longest), and how long
    requests take including it. Everything else in a review excludes that time."""

    requests: int
    median_ns: int
    longest_ns: int
    with_wait: tuple[WithWait, ...]


@dataclass(frozen=True)
class Review:
    """A review; `as_dict` is what `overbudget review --json` prints.

    `selected` counts the requests that pass the filters, and the incomplete ones left out of them. `unmatched` lists what
    the budget names and the dataset does not have. Where requests are too alike for a verdict at p95 (or at the highest
    requested percentile below it), `parts_over` says how much of the time they were over the cap there.
    """

    dataset: DatasetFacts
    selected: dict[str, Any]
    budget: Mapping[str, Any] | None
    percentiles: tuple[int, ...]
    end_to_end: tuple[PercentileRow, ...]
    stages: tuple[StageRow, ...]
    breakdown: tuple[Breakdown, ...]
    typical: MeanRequest | None
    overall: MeanRequest | None
    routes: tuple[RouteReview, ...]
    other_routes: int
    good: GoodAnswers | None
    unmatched: dict[str, list[str]]
    failed: Mapping[str, Any] | None = None
    failures_apart: bool = False
    window_ns: int | None = None
    all_slow: AllSlow | None = None
    incomplete: LostSpans | None = None
    remarks: tuple[str, ...] = ()
    parts_over: PartsOver | None = None
    waited: Waited | None = None
    limits: tuple[LimitRow, ...] = ()
    left: tuple[Left, ...] = ()
    runs_out: tuple[RunsOut, ...] = ()
    first_token: tuple[FirstTokenRow, ...] = ()
    calls: tuple[CallRow, ...] = ()
    call_limits: tuple[CallLimitRow, ...] = ()
    first_token_causes: tuple[FirstTokenCause, ...] = ()
    objective: ErrorBudget | None = None
    deployments: tuple[Deployment, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts and lists with the keys of docs/reference/json.md."""
        found = asdict(self)
        found["stages"] = [_stage_first(row) for row in found["stages"]]
        found["calls"] = [_named_first(row, "kind", "of", "figure") for row in found["calls"]]
        for route in found["routes"]:
            route["stages"] = [_stage_first(row) for row in route["stages"]]
        plain: dict[str, Any] = _lists(found)
        return plain

    def row(self, percentile: int, stage: str = TOTAL) -> PercentileRow:
        """The percentile of the whole request or of one stage."""
        rows: Sequence[PercentileRow] = self.end_to_end
        if stage != TOTAL:
            rows = [row for row in self.stages if row.stage == stage]
        return next(row for row in rows if row.percentile == percentile)

    def made_of(self, percentile: int) -> Breakdown:
        """The breakdown at a percentile."""
        return next(found for found in self.breakdown if found.percentile == percentile)


def _stage_first(row: dict[str, Any]) -> dict[str, Any]:
    return _named_first(row, "stage")


def _named_first(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {**{name: row.pop(name) for name in names}, **row}


def _lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lists(entry) for key, entry in value.items()}
    return [_lists(entry) for entry in value] if isinstance(value, list | tuple) else value


def too_many_lost(band_requests: int, band_incomplete: int) -> bool:
    """Whether too many requests of a band (more than a third) cannot be broken down, so that no stage can be blamed."""
    return band_incomplete * 3 > band_requests + band_incomplete


def service_times(breakdown: Sequence[Breakdown]) -> list[tuple[str, list[int]]]:
    """The services with the most time over all breakdowns, and their mean time (ns) in each; others as OTHER_SERVICES."""
    times = [{part.service_name: part.mean_ns for part in made_of.services} for made_of in breakdown]
    names = sorted(
        {name for one in times for name in one}, key=lambda name: (-sum(one.get(name, 0) for one in times), name)
    )
    shown, rest = names[:MOST_SERVICES], names[MOST_SERVICES:]
    found = [(name, [one.get(name, 0) for one in times]) for name in shown]
    return [*found, (OTHER_SERVICES, [sum(one.get(name, 0) for name in rest) for one in times])] if rest else found


def much_unattributed(review: Review) -> float | None:
    """The share of time in no classified span, if more than half: stages then explain little, and answers are about
    services and operations. Else None."""
    known = [made_of for made_of in review.breakdown if made_of.stages]
    spoken = next((one for one in reversed(known) if one.percentile <= MAIN_PERCENTILE), known[-1] if known else None)
    if spoken is not None:
        share = next((stage.share for stage in spoken.stages if stage.stage == UNATTRIBUTED), 0.0)
    else:
        stages = review.overall.stages if review.overall else ()
        share = next((float(stage["share"]) for stage in stages if stage["stage"] == UNATTRIBUTED), 0.0)
    return share if share > MUCH_UNATTRIBUTED else None
