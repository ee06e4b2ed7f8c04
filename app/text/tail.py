"""Slow against typical requests, in words and tables."""

from collections.abc import Sequence

from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.tail.operations import SlowOperation
from overbudget.analysis.tail.tail import REQUEST, SlowAttribute, Tail
from overbudget.app.text.blocks import Block, Column, and_more, opening, table
from overbudget.app.text.words import count, quoted

MOST_ROWS = 10
LEAST_SHARE = 0.01  # of the excess, to be listed


def tail_blocks(found: Tail) -> list[Block]:
    """Where slow requests spend more time than typical ones, and which attributes they (and failed ones) have more often."""
    rows = []
    for one in [one for one in found.operations if one.share_of_excess >= LEAST_SHARE][:MOST_ROWS]:
        times = [format_duration(ns) for ns in (one.slow_mean_ns, one.typical_mean_ns, one.excess_ns)]
        rows.append([operation_text(one), one.stage, *times, f"{one.share_of_excess:.0%}", one.why.sentence])
    stage, why = Column("stage", "name"), Column("why", "prose")
    columns: list[str | Column] = ["operation", stage, "slow", "typical", "excess", "share", why]
    return [
        *opening(sentences(found)),
        *table("Where the slow requests spend more time", columns, rows),
        *_attributes("What they have more often than typical ones", ("slow", "typical"), found.attributes),
        *_attributes("What failed requests have more often than the others", ("failed", "others"), found.failed),
    ]


def _attributes(title: str, sides: tuple[str, str], found: Sequence[SlowAttribute]) -> list[Block]:
    rows = [
        [attribute_text(one), f"{one.slow_share:.0%}", f"{one.typical_share:.0%}", f"{one.requests:,}"]
        for one in found[:MOST_ROWS]
    ]
    return table(title, ["attribute", *sides, "requests"], rows, and_more(len(found) - MOST_ROWS))


def sentences(found: Tail) -> list[str]:
    """What is compared, and the strongest of what was found."""
    first = (
        f"{count(found.slow, 'slow request')} ({_which(found)}) "
        f"against {found.typical:,} typical ones: {format_duration(found.slow_mean_ns)} against "
        f"{format_duration(found.typical_mean_ns)}."
    )
    worst = found.operations[0] if found.operations else None
    why = (
        f"{operation_text(worst)} takes {worst.share_of_excess:.0%} of the excess ({worst.why.sentence})"
        if worst
        else "Nothing stands out"
    )
    if not found.attributes:
        return [first, f"{why}; no attribute distinguishes slow from typical requests."]
    attribute = found.attributes[0]
    shares = f"{attribute.slow_share:.0%} of the slow and {attribute.typical_share:.0%} of the typical"
    if attribute.on == REQUEST and attribute.key in ("from", "until"):
        return [first, f"{why}; {shares} {attribute_text(attribute)}."]
    return [first, f"{why}; {attribute_text(attribute)} is in {shares}."]


def _which(found: Tail) -> str:
    if found.cap_ns is not None:
        return f"over the p{found.percentile} cap of {format_duration(found.cap_ns)}"
    return f"from {format_duration(found.threshold_ns)} on, p{found.percentile}"


def operation_text(one: SlowOperation) -> str:
    """An operation, or its wait for another service."""
    waiting = f" waiting for {one.hop_to}" if one.hop_to else ""
    return f"{one.service_name}: {quoted(one.name)}{waiting}"


def attribute_text(one: SlowAttribute) -> str:
    """An attribute, its value, and what carries it."""
    if one.on == REQUEST and one.key in ("from", "until"):
        return f"arrive {one.key} {one.value}{' on' if one.key == 'from' else ''}"
    value = one.value if one.value.startswith("> ") else f"= {one.value}"
    if one.longest_of is not None:
        return f"{one.key} {value} on the longest {quoted(one.longest_of)}"
    place = "" if one.on == REQUEST else f" on {quoted(one.on)}"
    return f"{one.key} {value}{place}"
