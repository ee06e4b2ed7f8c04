"""Latency against load, for a terminal."""

import sys
from collections.abc import Sequence
from typing import TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.load.load import Bin, Load
from overbudget.app.text.marks import MARKS
from overbudget.app.text.review import PLAIN_WIDTH
from overbudget.app.text.words import stage_name

MOST_STAGES = 5


def print_load(found: Load, file: TextIO | None = None) -> None:
    """Write latency against load to `file` (standard output)."""
    file = file or sys.stdout
    console = Console(
        file=file, width=None if file.isatty() else PLAIN_WIDTH, highlight=False, markup=False, emoji=False
    )
    for number, sentence in enumerate(sentences(found)):
        console.print(Text(sentence, style="" if number else "bold"))
    _table(console, "Against the other requests in flight when a request arrives", "in flight", found.bins)
    window = format_duration(found.rate_window_ns)
    _table(console, f"Against arrivals per second, over the {window} before", "per second", found.arrivals)


def sentences(found: Load) -> list[str]:
    """Where the budget breaks, and which stage grows first."""
    if found.sampled:
        return [f"{found.sampled}: how many requests were in flight, or arrived, is not known, so no load is told."]
    if not found.bins:
        return ["There are no complete requests to look at."]
    low, high = found.bins[0], found.bins[-1]
    if len(found.bins) < 2:
        who = f"Nearly all of {low.requests:,} requests arrive" if low.requests > 1 else "The only request arrives"
        few = f"{who} under the same load ({range_text(low)} in flight)"
        return [f"{few}: how latency depends on it cannot be told."]
    first = (
        f"p95 is {format_duration(low.p95_ns)} with {range_text(low)} other requests in flight "
        f"and {format_duration(high.p95_ns)} with {range_text(high)}."
    )
    return [_breaks(found, first), _grows(found)]


def _breaks(found: Load, first: str) -> str:
    if found.breaks_at is not None:
        cap = format_duration(found.budget_ns)
        if found.breaks_at == found.bins[0].low:
            return f"{first} It is over its cap of {cap} under any load."
        sure = f"The p95 cap of {cap} breaks for sure from {found.breaks_at:,} in flight on"
        earlier = found.may_break_at is not None and found.may_break_at < found.breaks_at
        return f"{first} {sure}{f', perhaps from {found.may_break_at:,}' if earlier else ''}."
    if found.budget_ns is not None and found.may_break_at is not None:
        return f"{first} The p95 cap of {format_duration(found.budget_ns)} may break from {found.may_break_at:,} in flight on."
    return first


def _grows(found: Load) -> str:
    if found.first_to_grow is None:
        return "No stage grows with the load."
    return f"The first stage to grow is {stage_name(found.first_to_grow)}, from {found.grows_at:,} in flight on."


def range_text(bin_: Bin) -> str:
    """The load of a bin: `3` or `3–7`."""
    low, high = (
        f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:,.1f}" for value in (bin_.low, bin_.high)
    )
    return low if low == high else f"{low}–{high}"


def _table(console: Console, heading: str, load: str, bins: Sequence[Bin]) -> None:
    if not bins:
        return
    mean = {stage["stage"]: stage["mean_ns"] for bin_ in bins for stage in bin_.stages}
    for bin_ in bins:
        for stage in bin_.stages:
            mean[stage["stage"]] = max(mean[stage["stage"]], stage["mean_ns"])
    shown = sorted(mean, key=lambda stage: -mean[stage])[:MOST_STAGES]
    server = sorted({key for bin_ in bins for key in bin_.server})
    console.print()
    console.print(Text(heading, style="dim"))
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in (load, "requests", "p50", "p95", "between (95 %)", *shown, *(key.split(".")[-1] for key in server)):
        table.add_column(column, justify="right")
    for bin_ in bins:
        means = {stage["stage"]: stage["mean_ns"] for stage in bin_.stages}
        known = bin_.p95_low_ns is not None and bin_.p95_high_ns is not None
        interval = f"{format_duration(bin_.p95_low_ns)} – {format_duration(bin_.p95_high_ns)}" if known else "too few"
        table.add_row(
            range_text(bin_),
            f"{bin_.requests:,}",
            format_duration(bin_.p50_ns),
            MARKS.get(bin_.verdict, "") + format_duration(bin_.p95_ns),
            interval,
            *(format_duration(means.get(stage, 0)) for stage in shown),
            *(format_duration(bin_.server.get(key, 0)) for key in server),
        )
    console.print(table)
