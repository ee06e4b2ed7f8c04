"""Which services make requests slower: self time, and the hops charged to them.

Two questions with two answers. Which service first? Services are ranked by the lower end of their growth; the drift that
all services of the two sides show counts as error. Is it certain? A service's growth decides a comparison only where it
exceeds chance and that drift, and is large enough to matter. See docs/reference/method.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np

from overbudget.analysis.common.binomial import student_quantile
from overbudget.analysis.common.effective_size import drift_of, too_alike
from overbudget.analysis.common.percentiles import F64
from overbudget.analysis.compare.growth import Growth

SURE = NormalDist().inv_cdf(0.90)  # standard errors from an estimate to its lower end at 90 % confidence
FALSE_ALARMS = 0.02  # share of comparisons of a system with itself that call a service's growth certain
MAD = 1.4826  # standard deviations in a median absolute deviation, of a normal distribution
FEWEST_OTHERS = 3  # services needed to estimate how much services drift
LEAST_SHARE = 0.02  # of all growth of hops: a service must explain as much to be charged with hops it makes
MOST_CHARGED = 8  # services

Hop = tuple[str, str]  # from, to


@dataclass(frozen=True)
class ServiceGrowth:
    """A service's self time and the hops charged to it, ns per request of the candidate.

    `rank_ns` is used for ranking services and for nothing else. `certain_ns` is the growth that is certain at least, None
    where that is unknown or too small to matter.
    """

    service_name: str
    base_mean_ns: int
    candidate_mean_ns: int
    rank_ns: float
    certain_ns: int | None

    @property
    def change_ns(self) -> int:
        return self.candidate_mean_ns - self.base_mean_ns


@dataclass
class _Sum:
    growth: float = 0.0
    positive: float = 0.0
    slow_square: float = 0.0
    independent_square: float = 0.0
    square: float = 0.0
    share: float = 0.0
    runs: list[F64 | None] = field(default_factory=lambda: [None, None])  # of base and candidate

    def too_alike(self, requests: int) -> bool:
        """Whether either side has too few changes of conditions to know what the service's growth is worth, and its worst time
        in the base is as bad as its best in the candidate."""
        tau = self.square / self.independent_square if self.independent_square else 1.0
        if not any(too_alike(requests, tau, drift_of(runs)) for runs in self.runs if runs is not None):
            return False
        before, after = self.runs
        return before is None or after is None or float(after.min()) <= float(before.max())


def charges(grown: Sequence[Growth]) -> dict[Hop, dict[str, float]]:
    """For the hops from one service to another: the share that each of the two is charged with.

    A service with a slow network or processor delays every hop it takes part in, those it makes and those to it; a hop
    between two services does not show which of the two is slow. So services are charged one after the other, each with
    the growth that at least half of its hops share (the median over the services it talks to), the one that explains most
    first (matching pursuit; Mallat and Zhang, IEEE Transactions on Signal Processing 41 (1993), with the median in place
    of the projection, because a gateway has many hops of which one may grow). Where two explain equally much, the called
    service is charged, and so it is with what no service explains. Estimates are charged, not lower ends: where few
    requests are affected, no single hop is certain, and only what the hops have in common shows the service.
    """
    growth: dict[Hop, float] = {}
    weight: dict[Hop, float] = {}
    for one in grown:
        service, _, place = one.cause
        if place is not None:
            growth[service, place] = growth.get((service, place), 0.0) + one.change_ns
            weight[service, place] = weight.get((service, place), 0.0) + one.share
    left = {hop: max(0.0, change) / weight[hop] for hop, change in growth.items() if weight[hop] > 0}
    talks: dict[str, list[Hop]] = {}
    for hop in left:
        for service in dict.fromkeys(hop):
            talks.setdefault(service, []).append(hop)
    taken = _taken(left, weight, talks)
    result = {hop: {hop[1]: 1.0} for hop in growth}
    for hop, by in taken.items():
        total = sum(by.values()) + left[hop]
        shares = {service: part / total for service, part in by.items()} if total else {}
        shares[hop[1]] = shares.get(hop[1], 0.0) + 1 - sum(shares.values())
        result[hop] = shares
    return result


def _taken(
    left: dict[Hop, float], weight: Mapping[Hop, float], talks: Mapping[str, list[Hop]]
) -> dict[Hop, dict[str, float]]:
    """How much of each hop's growth each service is charged with; `left` keeps the rest."""
    taken: dict[Hop, dict[str, float]] = {hop: {} for hop in left}
    all_growth = sum(weight[hop] * change for hop, change in left.items())
    for _ in range(MOST_CHARGED):
        shared = {service: float(np.median([left[hop] for hop in hops])) for service, hops in talks.items()}
        explained = {
            service: sum(weight[hop] * min(left[hop], shared[service]) for hop in hops)
            for service, hops in talks.items()
        }
        most = max(explained.values(), default=0.0)
        if most <= LEAST_SHARE * all_growth:
            break
        equal = [service for service, part in explained.items() if part >= most * (1 - 1e-9)]
        guilty = max(
            equal, key=lambda service: sum(weight[hop] * left[hop] for hop in talks[service] if hop[1] == service)
        )
        for hop in talks[guilty]:
            part = min(left[hop], shared[guilty])
            left[hop] -= part
            taken[hop][guilty] = taken[hop].get(guilty, 0.0) + part
    return taken


@dataclass(frozen=True)
class Ranked:
    """A service's place in the ranking and its certain growth; see ServiceGrowth."""

    rank_ns: float
    certain_ns: int | None


def rank(
    grown: Sequence[Growth],
    charged: Mapping[Hop, Mapping[str, float]],
    base_mean_ns: Mapping[str, float],
    least_ns: float,
    requests: int,
) -> dict[str, Ranked]:
    """Each service's place in the ranking, and its certain growth.

    `charged` is the result of `charges`, `base_mean_ns` each service's time in the base, `least_ns` the smallest growth
    (of a request that has the service) that is called certain, `requests` the number on the smaller side.
    """
    sums: dict[str, _Sum] = {}
    for one in grown:
        service, _, place = one.cause
        for who, part in ({service: 1.0} if place is None else charged[service, place]).items():
            entry = sums.setdefault(who, _Sum())
            entry.growth += part * one.change_ns
            entry.positive += part * max(one.ranked_ns, 0.0)
            entry.slow_square += (part * one.slow_error_ns) ** 2
            square = part**2 * (one.slow_error_ns**2 + one.often_error_ns**2)
            entry.independent_square += square
            entry.square += square * one.tau
            entry.runs = [_added(known, runs, part) for known, runs in zip(entry.runs, one.runs, strict=True)]
            entry.share = max(entry.share, one.share)
    before = np.array([base_mean_ns.get(name, 0.0) for name in sums])
    growth = np.array([entry.growth for entry in sums.values()])
    drift = SURE * _drift(before, before + growth) * before
    student = student_quantile(FALSE_ALARMS / max(len(sums), 1))
    found = {}
    for (name, entry), other in zip(sums.items(), drift.tolist(), strict=True):
        certain = entry.growth - float(np.hypot(student * entry.square**0.5, other))
        matters = entry.growth / max(entry.share, 1 / max(requests, 1)) >= least_ns
        ranked = entry.positive - float(np.hypot(SURE * entry.slow_square**0.5, other))
        known = certain > 0 and matters and not entry.too_alike(requests)
        found[name] = Ranked(ranked, int(certain) if known else None)
    return found


def _added(known: F64 | None, runs: F64 | None, part: float) -> F64 | None:
    """The runs of a service, those of another of its causes added."""
    if runs is None:
        return known
    return part * runs if known is None else known + part * runs


def _drift(before: F64, now: F64) -> F64:
    """Per service: by what share of their time the other services changed, as a standard deviation; 0 with too few.

    Two windows of one system differ by more than the chance within each of them, because machines are shared. How far
    services drift from one window to the next shows in those without a fault, which are most of them: the spread between
    studies of a random-effects model (R. DerSimonian and N. Laird, "Meta-analysis in clinical trials", Controlled
    Clinical Trials 7 (1986)), here by the median absolute deviation, which one faulty service does not move, measured
    from no change, so that nothing stands out where everything is slower.
    """
    known = before > 0
    change = np.abs(now / np.where(known, before, 1.0) - 1)
    drift = np.zeros(len(before))
    for place in range(len(before)):
        others = np.delete(change, place)[np.delete(known, place)]
        if len(others) >= FEWEST_OTHERS:
            drift[place] = MAD * np.median(others)
    return drift
