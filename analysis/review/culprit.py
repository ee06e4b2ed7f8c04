"""Which stage is the culprit of a band that is over its cap: docs/reference/method.md, "Budgets and verdicts".

Stages over their own caps come first. Where there are none, growth over typical requests decides, but only if typical
requests meet the cap; where everything is slow, nothing shows what changed, and the question is which single part is as
large as the time over the cap.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from overbudget.analysis.causes.causes import Causes
from overbudget.analysis.causes.spending import Cause
from overbudget.analysis.causes.why import Why
from overbudget.analysis.common.bands import F64, TYPICAL
from overbudget.analysis.review.measure import BandMeans
from overbudget.analysis.review.result import Basis, CauseOperation, Culprit, Suspect
from overbudget.stages.names import UNATTRIBUTED

LEAST_EXPLAINED = 0.2  # the share of an overrun that growth over typical requests must explain to be its cause
SPREADS_MORE = (
    0.2  # how much its share of the growth must exceed its share of typical requests, to be no natural spread
)
MAINLY = 1 / 3  # of slow requests' extra time: a cause's count or size must explain as much, else it is natural spread
MOST_LISTED = 5

Places = npt.NDArray[np.intp]


class Part(NamedTuple):
    """A unit of blame: a classified stage, or one cause of the time that no stage explains."""

    stage: int
    cause: int | None


@dataclass(frozen=True)
class Blame:
    """The culprit. `overrun` is per stage; `any_of` lists the parts of which each alone is as large as the time over.

    `everything_slow`: typical requests are over the cap too. `natural_spread`: no part grows more than the others.
    """

    overrun: dict[str, int] = field(default_factory=dict)
    culprit: Culprit | None = None
    any_of: tuple[Suspect, ...] = ()
    everything_slow: bool = False
    natural_spread: bool = False


@dataclass(frozen=True)
class Case:
    """What is known of a band: its means, those of typical requests, stage means in whole ns, caps (None: no cap).

    `why` says for a cause, its stage and its growth in ns whether it runs more often, is larger or slower; `certain` says
    whether it certainly runs more often, and whether it is certainly larger.
    """

    percentile: int
    names: tuple[str, ...]
    causes: Causes
    band: BandMeans
    typical: BandMeans | None
    means: dict[str, int]
    stage_caps: dict[str, int | None]
    total_cap: int | None
    value_ns: int | None
    why: Callable[[Cause, int, int], Why | None]
    certain: Callable[[Cause], tuple[bool, bool]]

    @property
    def is_typical(self) -> bool:
        """Whether the band itself consists of typical requests, so that growth over them shows nothing."""
        half = min(5, self.percentile, 100 - self.percentile)
        return TYPICAL[0] <= self.percentile - half and self.percentile + half <= TYPICAL[1]


def blame(case: Case) -> Blame:
    """The culprit of a band by the first rule that applies."""
    over_caps = {
        stage: max(0, case.means.get(stage, 0) - cap) for stage, cap in case.stage_caps.items() if cap is not None
    }
    if any(over_caps.values()):
        return _over_their_caps(case, over_caps)
    if case.total_cap is None:
        return Blame() if case.typical is None or case.is_typical else _growth(case)
    if case.value_ns is None or case.value_ns <= case.total_cap:
        return Blame()
    if case.typical is not None and case.typical.latency_ns <= case.total_cap and not case.is_typical:
        return _growth(case)
    return everything_slow(case)


def _over_their_caps(case: Case, overrun: dict[str, int]) -> Blame:
    stage = max(overrun, key=lambda name: overrun[name])
    cap = case.stage_caps[stage] or 0
    typical = _typical_stage_ns(case, stage)
    grew = typical is not None and typical <= cap and not case.is_typical
    return Blame(overrun, _culprit(case, stage, overrun, "cap", _cause(case, stage, overrun[stage], grew)))


def _growth(case: Case) -> Blame:
    """Overrun counted from typical requests; without a cap only where a part spreads more than the others."""
    assert case.typical is not None
    overrun = {stage: max(0, mean - round(_typical_stage_ns(case, stage) or 0)) for stage, mean in case.means.items()}
    if not any(overrun.values()):
        return Blame(natural_spread=case.total_cap is None)
    stage = max(overrun, key=lambda name: overrun[name])
    operation = _cause(case, stage, overrun[stage], True)
    if case.total_cap is None and not _spreads_more(case) and not _more_or_larger(case, operation):
        return Blame(natural_spread=True)
    return Blame(overrun, _culprit(case, stage, overrun, "typical", operation))


def _more_or_larger(case: Case, operation: CauseOperation | None) -> bool:
    """Whether slow requests certainly call the cause more often, or with more tokens, and that alone explains a good part of
    their extra time: where a loop runs longer, all of its parts grow alike, and that is not natural spread."""
    assert case.typical is not None
    if operation is None or operation.why is None:
        return False
    least = MAINLY * (case.band.latency_ns - case.typical.latency_ns)
    parts = (operation.why.how_often_ns, operation.why.how_large_ns)
    if max(parts) < least:
        return False
    certain = case.certain((operation.service_name, operation.name, operation.hop_to))
    return any(sure and part >= least for sure, part in zip(certain, parts, strict=True))


def _spreads_more(case: Case) -> bool:
    """Whether some part's share of the growth clearly exceeds its share of typical requests."""
    assert case.typical is not None
    parts = _parts(case)
    typical = np.array([_mean(case.typical, part) for part in parts])
    growth = np.maximum(0, np.array([_mean(case.band, part) for part in parts]) - typical)
    if growth.sum() <= 0:
        return False
    shares = typical / typical.sum() if typical.sum() > 0 else np.zeros(len(parts))
    more = growth / growth.sum() - shares
    alone = shares.max() > 1 - SPREADS_MORE / 2  # a part without others to compare with
    return bool(more.max() >= SPREADS_MORE or alone)


def everything_slow(case: Case) -> Blame:
    """The one part that alone is as large as the time over the cap; else the largest if it makes up half of the band."""
    over = case.band.latency_ns - (case.total_cap or 0)
    parts = _parts(case)
    means = np.array([_mean(case.band, part) for part in parts])
    if over <= 0 or len(parts) == 0:
        return Blame(everything_slow=True)
    order = np.argsort(-means, kind="stable")
    enough = [place for place in order.tolist() if means[place] >= over]
    if len(enough) > 1:
        return Blame(any_of=_suspects(case, parts, means, enough), everything_slow=True)
    if not enough and means[order[0]] < case.band.latency_ns / 2:
        return Blame(any_of=_suspects(case, parts, means, order[:1].tolist()), everything_slow=True)
    part = parts[enough[0] if enough else int(order[0])]
    stage = case.names[part.stage]
    overrun = {stage: round(min(_mean(case.band, part), over))}
    operation = _cause(case, stage, overrun[stage], False) if part.cause is None else _describe(case, part.cause, False)
    return Blame(overrun, _culprit(case, stage, overrun, "largest", operation), everything_slow=True)


def _suspects(case: Case, parts: list[Part], means: F64, places: list[int]) -> tuple[Suspect, ...]:
    return tuple(
        Suspect(
            case.names[parts[place].stage],
            round(float(means[place])),
            _describe(case, cause, False) if (cause := parts[place].cause) is not None else None,
        )
        for place in places[:MOST_LISTED]
    )


def largest_unattributed(case: Case) -> Suspect | None:
    """The operation, or wait for a place, that takes at least half of the band outside every stage; None where none does."""
    if UNATTRIBUTED not in case.names:
        return None
    place = case.names.index(UNATTRIBUTED)
    inside = np.flatnonzero(case.causes.stage == place)
    if len(inside) == 0:
        return None
    cause = int(inside[np.argmax(case.band.cause_ns[inside])])
    mean = float(case.band.cause_ns[cause])
    if mean <= 0 or 2 * mean < case.band.latency_ns:
        return None
    return Suspect(UNATTRIBUTED, round(mean), _describe(case, cause, False))


def _parts(case: Case) -> list[Part]:
    """Every classified stage, and every cause of unattributed time."""
    parts = [Part(place, None) for place, name in enumerate(case.names) if name != UNATTRIBUTED]
    if UNATTRIBUTED in case.names:
        place = case.names.index(UNATTRIBUTED)
        parts += [Part(place, cause) for cause in np.flatnonzero(case.causes.stage == place).tolist()]
    return parts


def _mean(means: BandMeans, part: Part) -> float:
    return float(means.stage_ns[part.stage] if part.cause is None else means.cause_ns[part.cause])


def _typical_stage_ns(case: Case, stage: str) -> float | None:
    if case.typical is None:
        return None
    return float(case.typical.stage_ns[case.names.index(stage)]) if stage in case.names else 0.0


def _culprit(
    case: Case, stage: str, overrun: dict[str, int], basis: Basis, operation: CauseOperation | None
) -> Culprit:
    return Culprit(stage, overrun[stage], overrun[stage] / sum(overrun.values()), basis, operation)


def _cause(case: Case, stage: str, overrun: int, grew: bool) -> CauseOperation | None:
    """The operation or hop inside a stage: the one that grew most, where growth decides; else just its largest part."""
    if stage not in case.names:
        return None
    inside = np.flatnonzero(case.causes.stage == case.names.index(stage))
    if len(inside) == 0:
        return None
    mean = case.band.cause_ns[inside]
    if grew and case.typical is not None:
        excess = mean - case.typical.cause_ns[inside]
        if float(excess.max()) >= LEAST_EXPLAINED * overrun and excess.max() > 0:
            return _describe(case, int(inside[np.argmax(excess)]), True)
    largest = int(np.argmax(mean))
    if mean[largest] <= 0:
        return None
    return _describe(case, int(inside[largest]), False)


def _describe(case: Case, cause: int, grew: bool) -> CauseOperation:
    causes = case.causes
    mean = float(case.band.cause_ns[cause])
    typical = float(case.typical.cause_ns[cause]) if case.typical is not None else None
    hop = causes.places[causes.hop[cause]] if causes.hop[cause] >= 0 else None
    callee = None
    if hop is not None and hop in causes.services:
        of_stage = (causes.stage == causes.stage[cause]) & (causes.service == causes.services.index(hop))
        callee = round(float(case.band.cause_ns[of_stage].sum()))
    service, name = causes.services[causes.service[cause]], causes.names[causes.name[cause]]
    excess = round(mean - typical) if typical is not None else round(mean)
    return CauseOperation(
        service_name=service,
        name=name,
        hop_to=hop,
        excess_ns=excess,
        mean_ns=round(mean),
        typical_ns=round(typical) if typical is not None else None,
        callee_ns=callee,
        tail=grew,
        awaited_share=float(case.band.awaited_ns[cause]) / mean if mean > 0 else 1.0,
        why=case.why((service, name, hop), int(causes.stage[cause]), excess) if grew else None,
    )
