"""Answers that are judged: how many are good, how long good ones take against the others, and until the first good one."""

from dataclasses import dataclass

import numpy as np

from overbudget.analysis.budget.caps import caps_by_route
from overbudget.analysis.budget.model import Budget
from overbudget.analysis.common.percentiles import quantiles
from overbudget.analysis.compare.percentile_change import FALSE_ALARMS, MARGIN, Sample, Verdict, changes
from overbudget.analysis.consistency.conversations import Conversations
from overbudget.analysis.requests.route_mix import in_one_mix
from overbudget.analysis.requests.table import BAD, GOOD, UNKNOWN, RequestTable
from overbudget.analysis.review.rows import PercentileRow
from overbudget.analysis.review.verdicts import percentile_row
from overbudget.stages.names import TOTAL

COMPARED = (50, 95)


@dataclass(frozen=True)
class AgainstOthers:
    """A percentile of good answers against that of the answers judged not good, in ns; `verdict` says how good ones are.

    The interval is None, and the verdict `unknown`, where either are too few or too alike.
    """

    percentile: int
    good_ns: int | None
    others_ns: int | None
    change_ns: int | None
    ci_low_ns: int | None
    ci_high_ns: int | None
    verdict: Verdict


@dataclass(frozen=True)
class GoodAnswers:
    """Answers with a recorded score or label. `good` is None where no threshold separates good from bad.

    A request is within budget up to `budget_ns`, the cap at p95 (its route's own first). `others` are judged and not good,
    `against_others` compares on routes that both have. `conversations` is None where no conversation is recorded.
    """

    requests_scored: int
    good: int | None
    good_within_budget: int | None
    budget_ns: int | None
    end_to_end: tuple[PercentileRow, ...]
    others: int | None = None
    against_others: tuple[AgainstOthers, ...] = ()
    conversations: Conversations | None = None


def good_answers(
    table: RequestTable, percentiles: tuple[int, ...], budget: Budget, talks: Conversations | None
) -> GoodAnswers | None:
    """What is known of the good answers among these requests; None where none is judged."""
    scored = int(np.count_nonzero(table.scored))
    if scored == 0:
        return None
    is_good = table.good == GOOD
    judgeable = bool((table.good != UNKNOWN).any())
    caps = caps_by_route(budget, table.route.names)
    cap_of_row = caps[table.route.codes]
    capped = is_good & (cap_of_row >= 0)
    within = int(np.count_nonzero(capped & (table.latency_ns <= cap_of_row))) if (caps >= 0).any() else None
    here = set(cap_of_row.tolist())
    rows = quantiles(table.latency_ns[is_good], percentiles, table.start_ns[is_good])[0] if judgeable else []
    return GoodAnswers(
        requests_scored=scored,
        good=int(np.count_nonzero(is_good)) if judgeable else None,
        good_within_budget=within if judgeable else None,
        budget_ns=here.pop() if len(here) == 1 and min(here) >= 0 else None,
        end_to_end=tuple(percentile_row(quantile, {}) for quantile in rows),
        others=int(np.count_nonzero(table.good == BAD)) if judgeable else None,
        against_others=against_others(table),
        conversations=talks,
    )


def against_others(table: RequestTable) -> tuple[AgainstOthers, ...]:
    """p50 and p95 of good answers against those of the others, with routes in the mix of the good ones."""
    others, good, weights, own = in_one_mix(
        table, np.flatnonzero(table.good == BAD), np.flatnonzero(table.good == GOOD)
    )
    if not len(good):
        return ()
    sides = (
        Sample(table.latency_ns[others], weights, table.start_ns[others]),
        Sample(table.latency_ns[good], own, table.start_ns[good]),
    )
    return tuple(
        AgainstOthers(
            one.percentile,
            one.candidate_ns,
            one.base_ns,
            one.change_ns,
            one.ci_low_ns,
            one.ci_high_ns,
            one.verdict,
        )
        for one in changes(TOTAL, sides, COMPARED, COMPARED, FALSE_ALARMS / 2 / len(COMPARED), MARGIN)
    )
