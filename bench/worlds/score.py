"""What an answer is worth."""

from dataclasses import dataclass
from enum import StrEnum

CLOSE = 0.05  # of the true percentile
SLACK = 0.02  # by which a bound may miss
LOOSE = 0.25  # of the true percentile, that a useful bound may be away


class Score(StrEnum):
    """RIGHT: what is true. PARTLY: true, but less than could be said. WRONG: not said. MISLEADING: not true, and said."""

    RIGHT = "right"
    PARTLY = "partly"
    WRONG = "wrong"
    MISLEADING = "misleading"


QUESTIONS = (
    "headline", "culprit", "attribute", "why", "model call", "advice", "prediction", "compare", "load", "silence",
)  # fmt: skip


@dataclass(frozen=True)
class Mark:
    """One question asked of one world; `note` says what was told and what is right, for those who look into a miss."""

    world: str
    seed: int
    question: str
    score: Score
    note: str = ""

    @property
    def command(self) -> str:
        """What reproduces it."""
        name = f'"{self.world}"' if " " in self.world else self.world
        return f"python -m bench.accuracy --world {name} --seed {self.seed}"


def placed(found: list[object], wanted: set[object], enough: int = 3) -> Score:
    """RIGHT where a wanted thing is first, PARTLY among the first `enough`, WRONG where nothing is, else MISLEADING."""
    if not found:
        return Score.WRONG
    if found[0] in wanted:
        return Score.RIGHT
    return Score.PARTLY if wanted & set(found[:enough]) else Score.MISLEADING


def predicted(told: list[int], true: list[int], bound: str | None, doubted: bool) -> Score:
    """A prediction of several percentiles against the truth.

    RIGHT within 5 %, or as a bound that holds (2 % aside) within 25 %; PARTLY where a bound holds but is loose, or where
    it is said that none can be told; WRONG never: what is told for sure and is not true is MISLEADING.
    """
    off = [(one - other) / max(other, 1) for one, other in zip(told, true, strict=True)]
    if max(map(abs, off)) <= CLOSE:
        return Score.RIGHT
    if bound is None:
        return Score.PARTLY if doubted else Score.MISLEADING
    holds = all(one >= -SLACK if bound == "at_most" else one <= SLACK for one in off)
    if not holds:
        return Score.MISLEADING
    return Score.RIGHT if max(map(abs, off)) <= LOOSE else Score.PARTLY
