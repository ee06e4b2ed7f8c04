"""What makes requests slower: the growth of each operation's time between two cohorts, and the services behind it.

Everything is per request of the candidate, and like with like: an operation's mean time is taken over the requests of
one route that have it on their critical path, and weighted as the candidate's requests have it. So a changed mix of
routes, or an operation that occurs more often because other things are asked, is not told as growth.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from overbudget.analysis.causes.causes import find_causes
from overbudget.analysis.common.percentiles import F64, I64
from overbudget.analysis.requests.path import PathTable
from overbudget.analysis.requests.table import RequestTable

SURE = NormalDist().inv_cdf(0.90)  # standard errors below an estimate at which it is still there with 90 % confidence
MAD = 1.4826  # standard deviations in a median absolute deviation, of a normal distribution
FEWEST_OTHERS = 3  # services that tell how much services change by themselves
LEAST_SHARE = 0.02  # of all growth of hops that a service must explain to be charged with hops it makes
MOST_CHARGED = 8  # services
MOST_COUNTED = 20_000_000

Cause = tuple[str, str, str | None]  # service, operation, and the place a hop leads to


@dataclass(frozen=True)
class OperationGrowth:
    """Mean time per candidate request of an operation's own time, or of its hops to a place, before and after.

    `only_in` says that the other cohort has no such operation ("base" or "candidate"); None where both have it.
    `error_ns` is the standard error of the change, `share` the share of the candidate's requests that have it.
    """

    service_name: str
    name: str
    hop_to: str | None
    base_mean_ns: float
    candidate_mean_ns: float
    error_ns: float
    share: float
    only_in: str | None

    @property
    def change_ns(self) -> float:
        return self.candidate_mean_ns - self.base_mean_ns


@dataclass(frozen=True)
class ServiceGrowth:
    """Mean time per candidate request of a service's own time and the hops charged to it, of what both cohorts have.

    `sure_ns` is what the growth is at least, with 90 % confidence, beyond what services of these cohorts change by
    anyway (`_drift`); services are ranked by it.
    """

    service_name: str
    base_mean_ns: float
    candidate_mean_ns: float
    sure_ns: float

    @property
    def change_ns(self) -> float:
        return self.candidate_mean_ns - self.base_mean_ns


@dataclass(frozen=True)
class _Times:
    """Of each cause and route: how many requests have it, their mean time and sum of squared deviations."""

    requests: int
    cells: Mapping[tuple[Cause, str], tuple[int, float, float]]


def _times(path: PathTable, table: RequestTable, by_route: bool) -> _Times:
    causes = find_causes(path, table)
    called = [
        (causes.services[s], causes.names[n], causes.places[h] if h >= 0 else None)
        for s, n, h in zip(causes.service.tolist(), causes.name.tolist(), causes.hop.tolist(), strict=True)
    ]
    distinct = {name: number for number, name in enumerate(dict.fromkeys(called))}  # stages do not matter here
    number = np.array([distinct[name] for name in called], np.int64)
    request = np.repeat(np.arange(len(table), dtype=np.int64), np.diff(causes.first))
    held = slice(int(causes.first[0]), int(causes.first[-1])) if len(table) else slice(0, 0)
    pair, inverse, _ = _distinct(request * len(distinct) + number[causes.of_segment[held]], len(table) * len(distinct))
    time = np.bincount(inverse, causes.duration_ns[held].astype(np.float64), minlength=len(pair))
    request, number = np.divmod(pair, max(len(distinct), 1))
    names = table.route.names if by_route else ("",)
    cell = number * max(len(names), 1) + (table.route.codes[request] if by_route else 0)
    found, inverse, count = _distinct(cell, len(distinct) * max(len(names), 1))
    mean = np.bincount(inverse, time, minlength=len(found)) / np.maximum(count, 1)
    spread = np.bincount(inverse, (time - mean[inverse]) ** 2, minlength=len(found))
    by_number = list(distinct)
    return _Times(
        len(table),
        {
            (by_number[key // len(names)], names[key % len(names)]): (n, m, ss)
            for key, n, m, ss in zip(found.tolist(), count.tolist(), mean.tolist(), spread.tolist(), strict=True)
        },
    )


def _distinct(keys: I64, size: int) -> tuple[I64, I64, I64]:
    """The distinct keys, ascending; for each key its place among them; how often each occurs. All are below `size`.

    Counting is ten times as fast as sorting, where there is room to count.
    """
    if size > MOST_COUNTED:
        return np.unique(keys, return_inverse=True, return_counts=True)
    count = np.bincount(keys, minlength=size)
    place = np.cumsum(count > 0) - 1
    found = np.flatnonzero(count)
    return found, place[keys], count[found]


def operation_growth(
    base_path: PathTable,
    base: RequestTable,
    candidate_path: PathTable,
    candidate: RequestTable,
    by_route: bool = True,
    off_path: Mapping[tuple[str, str, str], int] | None = None,
) -> list[OperationGrowth]:
    """How the time of each operation on the critical path changed, largest growth first.

    `off_path` counts the base's requests that have an operation at all, by route ("" where routes do not matter),
    service and name: one that ran beside the critical path and took none of it has grown where it now takes some, and is
    not new.

    The standard error is Student's with pooled variance, over requests; a cause that is measured once on each side is
    given its whole change as error.
    """
    before, after = _times(base_path, base, by_route), _times(candidate_path, candidate, by_route)
    grown: dict[Cause, list[float]] = {}
    for (cause, route), (n_after, mean_after, spread_after) in after.cells.items():
        entry = grown.setdefault(cause, [0.0, 0.0, 0.0, 0.0, 0.0])
        weight = n_after / after.requests
        known = before.cells.get((cause, route))
        if known is None and (aside := (off_path or {}).get((route, *cause[:2]), 0)):
            known = aside, 0.0, 0.0
        if known is None:
            entry[3] += weight * mean_after
            continue
        n_before, mean_before, spread_before = known
        freedom = n_after + n_before - 2
        error = (spread_after + spread_before) / freedom * (1 / n_after + 1 / n_before) if freedom else np.inf
        entry[4] += weight
        entry[0] += weight * mean_before
        entry[1] += weight * mean_after
        entry[2] += weight**2 * min(error, (mean_after - mean_before) ** 2 if not freedom else error)
    found = []
    for cause, (base_mean, candidate_mean, error, new, share) in grown.items():
        if share:
            found.append(OperationGrowth(*cause, base_mean, candidate_mean, float(np.sqrt(error)), share, None))
        elif new:
            found.append(OperationGrowth(*cause, 0.0, new, 0.0, 0.0, "candidate"))
    gone = {cause for cause, _ in before.cells} - set(grown)
    for cause in gone:
        mean = sum(n * m for (c, _), (n, m, _) in before.cells.items() if c == cause) / before.requests
        found.append(OperationGrowth(*cause, mean, 0.0, 0.0, 0.0, "base"))
    return sorted(found, key=lambda one: (-one.change_ns, one.service_name, one.name, one.hop_to or ""))


def service_growth(operations: Sequence[OperationGrowth]) -> list[ServiceGrowth]:
    """Which services make the change, the surest growth first: own time, and the hops charged to it.

    A hop is charged to the service it leads to, unless the service it comes from explains it better (`_charges`).
    """
    charges = _charges(operations)
    totals: dict[str, list[float]] = {}
    for one in operations:
        if one.only_in is not None:
            continue
        shares = {one.service_name: 1.0} if one.hop_to is None else charges[one.service_name, one.hop_to]
        for service, share in shares.items():
            entry = totals.setdefault(service, [0.0, 0.0, 0.0])
            entry[0] += share * one.base_mean_ns
            entry[1] += share * one.candidate_mean_ns
            entry[2] += (share * one.error_ns) ** 2
    names = list(totals)
    before, now, error = np.array([totals[name] for name in names]).reshape(-1, 3).T
    at_least = now - before - SURE * np.sqrt(error + (_drift(before, now) * before) ** 2)
    found = [ServiceGrowth(*one) for one in zip(names, before.tolist(), now.tolist(), at_least.tolist(), strict=True)]
    return sorted(found, key=lambda one: (-one.sure_ns, one.service_name))


def _drift(before: F64, now: F64) -> F64:
    """For each service by which part of its time the others changed, as a standard deviation; 0 with too few others.

    Two windows of one system differ by more than chance within each of them tells: machines are shared. How far
    services drift apart from one window to the next shows in the services that have no fault, which are most of
    them: the spread between studies of a random-effects model (R. DerSimonian and N. Laird, "Meta-analysis in clinical
    trials", Controlled Clinical Trials 7 (1986)), here by the median absolute deviation, which the faulty one does
    not move, and from no change at all, so that where everything is slower nothing stands out.
    """
    known = before > 0
    change = np.abs(now / np.where(known, before, 1.0) - 1)
    drift = np.zeros(len(before))
    for place in range(len(before)):
        others = np.delete(change, place)[np.delete(known, place)]
        if len(others) >= FEWEST_OTHERS:
            drift[place] = MAD * np.median(others)
    return drift


def _charges(operations: Sequence[OperationGrowth]) -> dict[tuple[str, str], dict[str, float]]:
    """Of the hops from one service to another: which share each of the two is charged with.

    A service whose network or processor is slow delays every hop it takes part in, those it makes and those to it; a
    hop between two services says nothing of which of them it is. So services are charged one after the other, each
    with the growth that at least half of its hops share (the median over the services it talks to), the one that
    explains most first (matching pursuit; Mallat and Zhang, IEEE Transactions on Signal Processing 41 (1993), with the
    median in place of the projection, because a gateway has many hops of which one may grow). What nobody explains
    stays with the service that is called. It is estimates that are charged, not what is sure of them: where few
    requests suffer, no hop alone is sure, and what they have in common is all there is to tell.
    """
    growth: dict[tuple[str, str], float] = {}
    weight: dict[tuple[str, str], float] = {}
    for one in operations:
        if one.hop_to is not None and one.only_in is None:
            hop = one.service_name, one.hop_to
            growth[hop] = growth.get(hop, 0.0) + one.change_ns
            weight[hop] = weight.get(hop, 0.0) + one.share
    left = {hop: max(0.0, change) / weight[hop] for hop, change in growth.items()}  # of one that occurs
    all_growth = sum(weight[hop] * change for hop, change in left.items())
    talks: dict[str, list[tuple[str, str]]] = {}
    for hop in left:
        for service in dict.fromkeys(hop):
            talks.setdefault(service, []).append(hop)
    charged: dict[tuple[str, str], dict[str, float]] = {hop: {} for hop in left}
    for _ in range(MOST_CHARGED):
        shared = {service: float(np.median([left[hop] for hop in hops])) for service, hops in talks.items()}
        explained = {
            service: sum(weight[hop] * min(left[hop], shared[service]) for hop in hops)
            for service, hops in talks.items()
        }
        guilty = max(explained, key=lambda service: (explained[service], service), default=None)
        if guilty is None or explained[guilty] <= LEAST_SHARE * all_growth:
            break
        for hop in talks[guilty]:
            taken = min(left[hop], shared[guilty])
            left[hop] -= taken
            charged[hop][guilty] = charged[hop].get(guilty, 0.0) + taken
    result = {}
    for hop, taken_by in charged.items():
        total = sum(taken_by.values()) + left[hop]
        shares = {service: taken / total for service, taken in taken_by.items()} if total else {}
        shares[hop[1]] = shares.get(hop[1], 0.0) + 1 - sum(shares.values())
        result[hop] = shares
    return result
