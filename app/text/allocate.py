"""Limits for every stage from one total, in words and a table."""

from overbudget.analysis.allocate.allocate import Allocation
from overbudget.analysis.common.durations import format_change, format_duration
from overbudget.app.text.blocks import Block, Notes, opening, table
from overbudget.app.text.words import capital, count, listed, stage_name

COLUMNS = ("limit", "p{} today", "requests that have it", "cut today")


def allocation_blocks(found: Allocation) -> list[Block]:
    """A limit for each stage, what it would cut today, and what the whole request then takes."""
    rows = [list(row) for row in limit_rows(found)]
    title = "Limits on what a stage takes of any request" if found.feasible else "Medians of the stages, for comparison"
    replayed = [
        [f"p{p}", format_duration(old), format_duration(new), format_change(new - old)]
        for (p, old), (_, new) in zip(found.before, found.after, strict=True)
        if old is not None and new is not None
    ]
    return [
        *opening(sentences(found)),
        *table(title, ["", *columns(found)], rows),
        *table("The whole request, replayed with them", ["", "before", "after", "change"], replayed),
        Notes(tuple(notes(found))),
    ]


def columns(found: Allocation) -> list[str]:
    """The titles of the columns of `limit_rows`, but for the stages'."""
    return [title.format(found.percentile) for title in COLUMNS]


def limit_rows(found: Allocation) -> list[tuple[str, ...]]:
    """Each stage with its limit, its time today, how many requests have it and how many the limit would cut."""
    return [
        (
            one.stage,
            format_duration(one.ns),
            format_duration(one.now_ns),
            f"{one.requests:,}",
            f"{one.cut:,} ({one.cut / one.requests:.1%})" if one.cut else "none",
        )
        for one in found.limits
    ]


def sentences(found: Allocation) -> list[str]:
    """Whether the total can be kept, and with what."""
    total = f"{format_duration(found.cap_ns)} at p{found.percentile}"
    if not found.feasible:
        return [
            f"{total} does not fit: with every stage held to its median, p{found.percentile} of the whole request is "
            f"{format_duration(found.over_ns, found.cap_ns)} over.",
            _typical(found),
        ]
    if found.kept_today:
        return [
            f"{total} is kept as things are: the limits are the most that each stage takes now.",
        ]
    certain = (
        f"{format_duration(_after(found))}, at most {format_duration(found.after_high_ns)} of other requests like these"
        if found.after_high_ns is not None
        else f"{format_duration(_after(found))}; of other requests these are too few, or too alike, to tell"
    )
    return [
        f"{total} is kept when every stage is held to what {found.level:.1%} of the requests that have it take.",
        f"With these limits enforced on every request, p{found.percentile} goes from {format_duration(_before(found))} to {certain}.",
        *([_bound(found)] if found.bound or found.doubtful else []),
    ]


def _typical(found: Allocation) -> str:
    if found.typical_over_ns:
        over = format_duration(found.typical_over_ns, found.cap_ns)
        return (
            f"Half of the requests take {over} more than that, so no limit helps: less work, or work side by side, does "
            "(overbudget advise)."
        )
    return "The typical request fits; stages that are slow together, or keep their time, do not. A higher total, or fewer fixed stages, may."


def _bound(found: Allocation) -> str:
    if found.bound == "at_most":
        return "The replay bounds the effect from above: it may be faster."
    return "The replay cannot tell all of the effect (overbudget whatif with these caps says why): it may be slower than that."


def _after(found: Allocation) -> int | None:
    return dict(found.after)[found.percentile]


def _before(found: Allocation) -> int | None:
    return dict(found.before)[found.percentile]


def notes(found: Allocation) -> list[str]:
    """What else to know of the limits."""
    kept = capital(listed([stage_name(stage) for stage in found.fixed])) if found.fixed else ""
    said = [f"{kept} {'stay as they are' if len(found.fixed) > 1 else 'stays as it is'}."] if kept else []
    if found.feasible and not found.kept_today:
        said.append(
            "A limit is hard: a request that meets it is cut off, falls back or fails. Percentiles of stages, such as a cap on "
            "each one's p95, would promise nothing for the total."
        )
    return [*said, f"From {count(found.requests, 'request')}."]
