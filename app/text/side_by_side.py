"""Models side by side as a table: steadiness, share within budget, share of good answers, each with its 95 % interval."""

from collections.abc import Sequence

from overbudget.analysis.budget.caps import MAIN_PERCENTILE
from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.consistency.side_by_side import ModelSide, ShareDict
from overbudget.app.text.blocks import Block, Cell, and_more, table
from overbudget.app.text.words import quoted

MOST_ROWS = 12
TITLE = "Models side by side (whole requests; 95 % intervals)"
NOT_KNOWN = "unknown"


def side_by_side_blocks(found: Sequence[ModelSide]) -> list[Block]:
    """The table; nothing where there are fewer than two models."""
    rows = [[Cell(quoted(one.name)[1:-1]), *cells(one, found)] for one in found[:MOST_ROWS]]
    return table(TITLE, ["", *columns(found)], rows, and_more(len(found) - MOST_ROWS), intervals=True)


def columns(found: Sequence[ModelSide]) -> list[str]:
    """The titles of `cells`; shares that no model has are left out."""
    shares = [
        *([f"within the p{MAIN_PERCENTILE} cap"] if _capped(found) else []),
        *(["good answers"] if _judged(found) else []),
    ]
    return ["requests", "p50", "p95", "p95/p50", *shares]


def cells(one: ModelSide, found: Sequence[ModelSide]) -> list[Cell]:
    """The row of a model, without its name."""
    slow = format_duration(one.p95_ns) if one.p95_ns is not None else "too few"
    return [
        Cell(f"{one.requests:,}"),
        Cell(format_duration(one.p50_ns)),
        Cell(slow),
        _ratio(one),
        *([_share(one.within_budget)] if _capped(found) else []),
        *([_share(one.good)] if _judged(found) else []),
    ]


def _capped(found: Sequence[ModelSide]) -> bool:
    return any(one.within_budget is not None for one in found)


def _judged(found: Sequence[ModelSide]) -> bool:
    return any(one.good is not None for one in found)


def _ratio(one: ModelSide) -> Cell:
    if one.steadiness is None:
        return Cell("–")
    known = one.ci_low is not None and one.ci_high is not None
    return Cell(f"{one.steadiness:.2f}", None, f"{one.ci_low:.2f} – {one.ci_high:.2f}" if known else NOT_KNOWN)


def _share(share: ShareDict | None) -> Cell:
    if share is None:
        return Cell("–")
    low, high = share["ci_low"], share["ci_high"]
    interval = f"{low:.1%} – {high:.1%}" if low is not None and high is not None else NOT_KNOWN
    return Cell(f"{share['share']:.1%}", None, interval)
