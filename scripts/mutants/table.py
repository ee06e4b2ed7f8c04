"""The answer of a run of mutants: a table by room, and the faults that no test noticed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scripts.mutants.rooms import Mutant

AIM = 0.85
How = Literal["noticed", "survived", "too slow", "red"]
NOTICED = ("noticed", "too slow")


@dataclass(frozen=True)
class Outcome:
    """The outcome of a mutant. "too slow" counts as noticed: the tests did not end. "red": they fail without a fault."""

    mutant: Mutant
    how: How
    seconds: float

    @property
    def survived(self) -> bool:
        """Whether no test noticed."""
        return self.how == "survived"

    @property
    def red(self) -> bool:
        """Whether it could not be tried, because tests fail without it."""
        return self.how == "red"


def table(outcomes: Sequence[Outcome], chosen: int) -> list[str]:
    """Lines: a row for each room with the share that was noticed, then the survivors."""
    tried = [outcome for outcome in outcomes if not outcome.red]
    rooms = sorted({outcome.mutant.room for outcome in tried})
    lines = ["", f"{'room':24}{'tried':>7}{'noticed':>9}{'share':>8}"]
    for room in (*rooms, ""):
        of_room = [outcome for outcome in tried if outcome.mutant.room == room or not room]
        noticed = sum(not outcome.survived for outcome in of_room)
        share = f"{noticed / len(of_room):.0%}" if of_room else "–"
        below = "  below the aim" if of_room and noticed < AIM * len(of_room) else ""
        lines.append(f"{room or 'all':24}{len(of_room):>7}{noticed:>9}{share:>8}{below}")
    if len(tried) < chosen:
        lines.append(f"{chosen - len(tried)} of {chosen} were not tried: the time was over, or their tests are red.")
    survivors = sorted((outcome.mutant for outcome in tried if outcome.survived), key=lambda m: (m.file, m.site.line))
    lines += ["", "Not noticed:" if survivors else "Every one was noticed."]
    return lines + [f"  {mutant}" for mutant in survivors]
