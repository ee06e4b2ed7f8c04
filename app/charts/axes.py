"""Axes of durations: logarithmic, with round tick values."""

import math
from typing import Any

POWERS_MS = [10**e for e in range(-3, 9)]
TICKS_MS = [v for e in range(-3, 9) for v in (10**e, 2 * 10**e, 5 * 10**e)]
FINE_MS = [v for e in range(-3, 9) for v in (10**e, 1.5 * 10**e, 2 * 10**e, 3 * 10**e, 5 * 10**e, 7 * 10**e)]
MOST_TICKS = 7  # more than that overlap in half a page
QUIET = "rgba(128,128,128,.18)"
LINE = "#3a7fc1"
OTHER = "#7d8893"


def duration_axis(low_ns: float, high_ns: float, title: str = "") -> dict[str, Any]:
    """A logarithmic axis from `low_ns` to `high_ns`: values in ms, ticks like 500 ms, 1 s, 2 s."""
    low, high = max(low_ns, 1_000) / 1e6, max(high_ns, 2_000) / 1e6
    steps = FINE_MS if high < 12 * low else TICKS_MS
    ticks = [tick for tick in steps if low * 0.8 <= tick <= high * 1.25]
    if len(ticks) > MOST_TICKS:
        ticks = [tick for tick in ticks if tick in POWERS_MS]
        ticks = ticks[:: -(-len(ticks) // MOST_TICKS)]
    return {
        "type": "log",
        "tickvals": ticks,
        "ticktext": [tick_text(tick) for tick in ticks],
        "range": [math.log10(low * 0.85), math.log10(high * 1.2)],
        "gridcolor": QUIET,
        "zeroline": False,
        "fixedrange": True,
        "title": {"text": title, "font": {"size": 12}} if title else None,
    }


def tick_text(ms: float) -> str:
    """A tick of an axis in ms: `200 µs`, `50 ms`, `2 s`."""
    if ms >= 60_000 and ms % 60_000 == 0:
        return f"{ms / 60_000:g} min"
    if ms >= 1_000:
        return f"{ms / 1_000:g} s"
    return f"{ms:g} ms" if ms >= 1 else f"{ms * 1_000:g} µs"


def plain_axis(title: str = "", **more: Any) -> dict[str, Any]:
    """A plain linear axis."""
    named = {"title": {"text": title, "font": {"size": 12}}} if title else {}
    return {"gridcolor": QUIET, "zeroline": False, "fixedrange": True, **named, **more}


def layout(height: int, **more: Any) -> dict[str, Any]:
    """The layout that all figures share."""
    margin = {"l": 60, "r": 16, "t": 8, "b": 44}
    return {"height": height, "margin": margin, "showlegend": False, "hovermode": "closest", **more}


def plain_name(name: str, longest: int = 60) -> str:
    """A name from the data, shortened, on one line, and escaped: Plotly would read parts of it as HTML."""
    line = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    shown = line if len(line) <= longest else f"{line[: longest - 1]}…"
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("%{", "% {")
