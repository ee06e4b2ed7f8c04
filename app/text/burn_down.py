"""What is left of the total cap along the way, in words and a table."""

from collections.abc import Sequence

from overbudget.analysis.budget.caps import MAIN_PERCENTILE
from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.review.burn_down import Left
from overbudget.analysis.review.result import Review
from overbudget.app.text.blocks import Block, Cell, table
from overbudget.app.text.words import percent, stage_name

AGAIN = {1: "", 2: " again", 3: " a third time"}
SENT = "answer"
MOST_TABLES = 3


def burn_down_blocks(review: Review) -> list[Block]:
    """What is left when each stage begins, a table for each cap that is exceeded, or one at p95 where none is; nothing where
    there is no cap, or no band."""
    told = told_percentiles(review)
    shown = over_their_cap(review) or [percentile for percentile in told if percentile == MAIN_PERCENTILE]
    return [block for percentile in shown for block in _table(review, percentile)]


def told_percentiles(review: Review) -> list[int]:
    """The percentiles with a cap on the whole request of which it is known what is left; p95 even where its cap is borrowed."""
    capped = {row.percentile for row in review.end_to_end if row.budget_ns is not None}
    return [p for p in review.percentiles if p in {*capped, MAIN_PERCENTILE} and usual_visits(review, p)]


def over_their_cap(review: Review) -> list[int]:
    """Those at which requests certainly take longer than a cap allows: the highest one for each cap; of many the lowest and
    the two highest, which is as much as one reads."""
    told = told_percentiles(review)
    rows = [row for row in review.end_to_end if row.percentile in told and row.verdict == "over" and not row.failed]
    found = sorted({row.budget_ns: row.percentile for row in rows}.values())
    return found if len(found) <= MOST_TABLES else [found[0], *found[1 - MOST_TABLES :]]


def _table(review: Review, percentile: int) -> list[Block]:
    rows = usual_visits(review, percentile)
    cells = [[begins(left), _left(left.left_ns), _left(left.typical_ns)] for left in rows]
    ends = end_of(review, percentile)
    return table(
        title(review, percentile),
        ["when it begins", f"around p{percentile}", "typically"],
        [*cells, [SENT, *map(_left, ends)]],
    )


def title(review: Review, percentile: int) -> str:
    """What is shown: of which cap, and where it runs out."""
    cap = next((made_of.left_of_ns for made_of in review.breakdown if made_of.percentile == percentile), None)
    out = next((one for one in review.runs_out if one.percentile == percentile), None)
    where = (
        f"; in {percent(out.share)} of the requests around p{percentile} it runs out in {stage_name(out.stage)}"
        if out is not None and out.share > 0.5
        else ""
    )
    return f"What is left of the {format_duration(cap)} when each stage takes over{where}"


def usual_visits(review: Review, percentile: int) -> list[Left]:
    """The visits that at least half of the band have, in the order of the path."""
    made_of = next((one for one in review.breakdown if one.percentile == percentile), None)
    if made_of is None:
        return []
    return [
        left for left in review.left if left.percentile == percentile and 2 * left.requests >= made_of.band_requests
    ]


def begins(left: Left) -> str:
    """`retrieval`, `tools again`."""
    return f"{left.stage}{AGAIN[left.visit]}"


def end_of(review: Review, percentile: int) -> Sequence[int | None]:
    """What is left at the end: of the band, and of typical requests."""
    made_of = review.made_of(percentile)
    cap = made_of.left_of_ns or 0
    typical = None if review.typical is None else cap - review.typical.latency_ns
    return cap - (made_of.band_latency_ns or 0), typical


def _left(ns: int | None) -> str | Cell:
    if ns is None:
        return "–"
    return Cell(signed(ns), "over") if ns < 0 else signed(ns)


def signed(ns: int) -> str:
    """What is left of a cap; what is gone beyond it with a minus sign."""
    return f"−{format_duration(-ns)}" if ns < 0 else format_duration(ns)
