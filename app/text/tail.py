"""Slow against typical requests, for a terminal."""

import sys
from collections.abc import Sequence
from typing import TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.tail.operations import SlowOperation
from overbudget.analysis.tail.tail import REQUEST, SlowAttribute, Tail
from overbudget.app.text.review import PLAIN_WIDTH
from overbudget.app.text.words import count, quoted

MOST_ROWS = 10
LEAST_SHARE = 0.01  # of the excess, to be listed


def print_tail(found: Tail, file: TextIO | None = None) -> None:
    """Write the tail to `file` (standard output)."""
    file = file or sys.stdout
    console = Console(
        file=file, width=None if file.isatty() else PLAIN_WIDTH, highlight=False, markup=False, emoji=False
    )
    for number, sentence in enumerate(sentences(found)):
        console.print(Text(sentence, style="" if number else "bold"))
    _heading(console, "Where the slow requests spend more time")
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in ("operation", "stage", "slow", "typical", "excess", "share", "why"):
        table.add_column(column, justify="left" if column in ("operation", "stage", "why") else "right")
    for one in [one for one in found.operations if one.share_of_excess >= LEAST_SHARE][:MOST_ROWS]:
        times = [format_duration(ns) for ns in (one.slow_mean_ns, one.typical_mean_ns, one.excess_ns)]
        table.add_row(operation_text(one), one.stage, *times, f"{one.share_of_excess:.0%}", one.why.sentence)
    console.print(table)
    _attributes(console, "What they have more often than typical ones", ("slow", "typical"), found.attributes)
    _attributes(console, "What failed requests have more often than the others", ("failed", "others"), found.failed)


def _attributes(console: Console, heading: str, sides: tuple[str, str], found: Sequence[SlowAttribute]) -> None:
    if not found:
        return
    _heading(console, heading)
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in ("attribute", *sides, "requests"):
        table.add_column(column, justify="left" if column == "attribute" else "right")
    for one in found[:MOST_ROWS]:
        table.add_row(attribute_text(one), f"{one.slow_share:.0%}", f"{one.typical_share:.0%}", f"{one.requests:,}")
    console.print(table)
    if (more := len(found) - MOST_ROWS) > 0:
        console.print(Text(f"and {more:,} more", style="dim"))


def _heading(console: Console, text: str) -> None:
    console.print()
    console.print(Text(text, style="dim"))


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
        return [first, f"{why}; no attribute tells the slow from the typical."]
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
    """An operation, or the wait for a place."""
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
