"""Latency against load, in words and tables."""

from collections.abc import Sequence

from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.load.load import Bin, Load
from overbudget.app.text.blocks import Block, Cell, Column, opening, table
from overbudget.app.text.marks import MARKS
from overbudget.app.text.words import WHOLE, listed, stage_name

MOST_STAGES = 5
MOST_NAMED = 2  # stages of which the caps are named; of more their number


def load_blocks(found: Load) -> list[Block]:
    """Latency against requests in flight, and against arrivals per second."""
    window = format_duration(found.rate_window_ns)
    return [
        *opening(sentences(found)),
        *_bins("Against the other requests in flight when a request arrives", "in flight", found.bins),
        *_bins(f"Against arrivals per second, over the {window} before", "per second", found.arrivals),
    ]


def sentences(found: Load) -> list[str]:
    """Where the budget breaks, and which stage grows first."""
    if found.sampled:
        return [
            f"{found.sampled}: how many requests were in flight, or arrived, is not known, so latency cannot be shown against load."
        ]
    if not found.bins:
        return ["There are no complete requests to look at."]
    low, high = found.bins[0], found.bins[-1]
    if len(found.bins) < 2:
        who = f"Nearly all of {low.requests:,} requests arrive" if low.requests > 1 else "The only request arrives"
        few = f"{who} under the same load ({range_text(low)} in flight)"
        return [f"{few}: how latency depends on it is unknown."]
    first = (
        f"p95 is {format_duration(low.p95_ns)} with {range_text(low)} other requests in flight "
        f"and {format_duration(high.p95_ns)} with {range_text(high)}."
    )
    return [_breaks(found, first), _grows(found), *_goodput(found)]


def _breaks(found: Load, first: str) -> str:
    if found.breaks_at is not None:
        cap = format_duration(found.budget_ns)
        if found.breaks_at == found.bins[0].low:
            return f"{first} It is over its cap of {cap} under any load."
        sure = f"The p95 cap of {cap} is exceeded for certain from {found.breaks_at:,} in flight on"
        earlier = found.may_break_at is not None and found.may_break_at < found.breaks_at
        return f"{first} {sure}{f', perhaps from {found.may_break_at:,}' if earlier else ''}."
    if found.budget_ns is not None and found.may_break_at is not None:
        return f"{first} The p95 cap of {format_duration(found.budget_ns)} may be exceeded from {found.may_break_at:,} in flight on."
    return first


def _grows(found: Load) -> str:
    if found.first_to_grow is None:
        return "No stage grows with the load."
    mainly = f" (most of it {stage_name(found.part_to_grow)})" if found.part_to_grow else ""
    return (
        f"The first stage to grow is {stage_name(found.first_to_grow)}{mainly}, from {found.grows_at:,} in flight on."
    )


def _goodput(found: Load) -> list[str]:
    """How many good answers a second come out, and from where on fewer."""
    known = [bin_ for bin_ in found.bins if bin_.goodput is not None]
    if len(known) < 2:
        return []
    best = max(known, key=lambda bin_: bin_.goodput.per_second if bin_.goodput else 0)
    good = f"Requests {good_requests(found)}"
    if found.goodput_peaks_at is not None:
        peak = next(bin_ for bin_ in known if bin_.low == found.goodput_peaks_at)
        return [
            f"{good} come at {rate_text(peak)} a second with {range_text(peak)} other requests in flight, and at "
            f"{rate_text(known[-1])} with {range_text(known[-1])}: more load brings fewer of them."
        ]
    return [
        f"{good} come at {rate_text(best)} a second with {range_text(best)} others in flight; no load shows where fewer come."
    ]


def good_requests(found: Load) -> str:
    """Which requests goodput counts: `that do not fail and keep the p95 caps on the whole request and 3 stages`."""
    stages = [what for what in found.goodput_caps if what not in WHOLE]
    named = [word for what, word in WHOLE.items() if what in found.goodput_caps]
    named += [f"{len(stages)} stages"] if len(stages) > MOST_NAMED else [stage_name(stage) for stage in stages]
    keep = f"keep the p95 cap{'s' if len(found.goodput_caps) > 1 else ''} on {listed(named)}"
    return f"that do not fail, are good and {keep}" if found.judged else f"that do not fail and {keep}"


def goodput_table(found: Load) -> list[Block]:
    """Goodput and p95 by requests in flight, for the report; nothing where the budget caps nothing of a request."""
    rows = [
        [range_text(bin_), f"{bin_.goodput.finished:,}", rate_text(bin_), format_duration(bin_.p95_ns)]
        for bin_ in found.bins
        if bin_.goodput is not None
    ]
    if not rows:
        return []
    return table(
        f"Goodput: requests a second {good_requests(found)}", ["in flight", "of them", "a second", "p95 latency"], rows
    )


def rate_text(bin_: Bin) -> str:
    """Goodput in a table or sentence: `5.4`, `0.31`; a dash where it is unknown."""
    if bin_.goodput is None:
        return "–"
    rate = bin_.goodput.per_second
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


def range_text(bin_: Bin) -> str:
    """The load of a bin: `3` or `3–7`."""
    low, high = (
        f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:,.1f}" for value in (bin_.low, bin_.high)
    )
    return low if low == high else f"{low}–{high}"


def _bins(title: str, load: str, bins: Sequence[Bin]) -> list[Block]:
    largest: dict[str, float] = {}
    for bin_ in bins:
        for stage in bin_.stages:
            largest[stage["stage"]] = max(largest.get(stage["stage"], 0), stage["mean_ns"])
    shown = sorted(largest, key=lambda stage: -largest[stage])[:MOST_STAGES]
    parts = list(dict.fromkeys(part["stage"] for bin_ in bins for part in bin_.parts))
    server = sorted({key for bin_ in bins for key in bin_.server})
    goodput = any(bin_.goodput is not None for bin_ in bins)
    rows: list[list[str | Cell]] = []
    for bin_ in bins:
        means = {stage["stage"]: stage["mean_ns"] for stage in (*bin_.stages, *bin_.parts)}
        known = bin_.p95_low_ns is not None and bin_.p95_high_ns is not None
        interval = f"{format_duration(bin_.p95_low_ns)} – {format_duration(bin_.p95_high_ns)}" if known else "too few"
        rows.append(
            [
                range_text(bin_),
                f"{bin_.requests:,}",
                format_duration(bin_.p50_ns),
                Cell(MARKS.get(bin_.verdict, "") + format_duration(bin_.p95_ns), bin_.verdict),
                interval,
                *([rate_text(bin_)] if goodput else []),
                *(format_duration(means.get(stage, 0)) for stage in shown),
                *(format_duration(means.get(part)) for part in parts),
                *(format_duration(bin_.server.get(key, 0)) for key in server),
            ]
        )
    columns = [
        load,
        "requests",
        "p50",
        "p95",
        "between (95 %)",
        *(["goodput/s"] if goodput else []),
        *shown,
        *(part.replace(".", ": ").replace("_", " ") for part in parts),
        *(key.split(".")[-1] for key in server),
    ]
    return table(title, [Column(column) for column in columns], rows)
