"""Why first tokens come late: what passes before them in the requests around a percentile.

The rule is that of the whole request (docs/reference/method.md, "Budgets and verdicts"): where typical first tokens keep the
cap, the piece that grew most is the cause; else the one that is as long as the time over, or makes up half of it.
"""

from dataclasses import dataclass

import numpy as np

from overbudget.analysis.common.bands import TYPICAL, Band, Ranking
from overbudget.analysis.requests.first_token import Cohort, Piece
from overbudget.analysis.review.measure import Measured

LEAST_EXPLAINED = 0.5  # of the time over the cap that a piece's growth must explain to be its cause


@dataclass(frozen=True)
class FirstTokenCause:
    """The piece of path before the first token that is why it comes late at `percentile`: `mean_ns` of its `first_token_ns`,
    the mean of the requests around the percentile scaled to it. `typical_ns` is its mean in typical requests where its growth is the reason, else None. `model` is the
    model that the operation calls, None for others."""

    percentile: int
    first_token_ns: int
    stage: str
    service_name: str
    name: str
    hop_to: str | None
    model: str | None
    mean_ns: int
    typical_ns: int | None


def first_token_cause(measured: Measured, percentile: int, value_ns: int, cap_ns: int) -> FirstTokenCause | None:
    """Why the first token at a percentile, `value_ns`, exceeds its cap; None where no single piece explains it."""
    table, read = measured.table, measured.evidence.before_first_token
    told = np.flatnonzero((table.ttft_ns >= 0) & table.complete)
    if read is None or len(told) == 0:
        return None
    ranking = Ranking(table.ttft_ns[told], table.weight[told])
    band, typical = ranking.band(percentile), ranking.between(*TYPICAL)
    if not band.known or not typical.known:
        return None

    def pieces(one: Band) -> dict[tuple[object, ...], Piece]:
        return {piece[:-1]: piece for piece in read(Cohort(measured.rows[told[one.rows]], one.weights))}

    first, usual = (float(one.mean(table.ttft_ns[told])) for one in (band, typical))
    here = pieces(band)
    over = first - cap_ns
    if not here or over <= 0:
        return None
    if usual <= cap_ns and percentile > TYPICAL[1]:
        before = pieces(typical)
        grown = {key: piece.mean_ns - (before[key].mean_ns if key in before else 0.0) for key, piece in here.items()}
        key = max(grown, key=lambda one: grown[one])
        if grown[key] < LEAST_EXPLAINED * over:
            return None
        return _cause(percentile, value_ns, here[key], value_ns / first, here[key].mean_ns - grown[key])
    enough = [piece for piece in here.values() if piece.mean_ns >= over]
    largest = max(here.values(), key=lambda piece: piece.mean_ns)
    if len(enough) > 1 or (not enough and largest.mean_ns < first / 2):
        return None
    return _cause(percentile, value_ns, largest, value_ns / first, None)


def _cause(percentile: int, value_ns: int, piece: Piece, scale: float, typical_ns: float | None) -> FirstTokenCause:
    typical = None if typical_ns is None else round(typical_ns)
    return FirstTokenCause(percentile, value_ns, *piece[:-1], round(piece.mean_ns * scale), typical)
