"""Latency and stage times against load."""

from collections.abc import Sequence

import plotly.graph_objects as go

from overbudget.analysis.load.load import Bin
from overbudget.app.charts.axes import LINE, OTHER, duration_axis, layout, plain_axis
from overbudget.app.charts.theme import BUDGET, stage_colour
from overbudget.app.text.load import range_text
from overbudget.stages.names import stage_order


def under_load_figure(bins: Sequence[Bin], cap_ns: int | None, load: str) -> go.Figure:
    """p50 and p95 with their intervals against the mean load of each bin; the cap as a dotted line."""
    figure = go.Figure()
    if not bins:
        return figure
    x = [(bin_.low + bin_.high) / 2 for bin_ in bins]
    names = [f"{range_text(bin_)}: {bin_.requests:,} requests" for bin_ in bins]
    for name, colour, position in (("p50", OTHER, "bottom right"), ("p95", LINE, "top right")):
        values = [getattr(bin_, f"{name}_ns") / 1e6 for bin_ in bins]
        high = [(getattr(bin_, f"{name}_high_ns") or getattr(bin_, f"{name}_ns")) / 1e6 for bin_ in bins]
        low = [(getattr(bin_, f"{name}_low_ns") or getattr(bin_, f"{name}_ns")) / 1e6 for bin_ in bins]
        figure.add_scatter(
            x=x, y=values, mode="lines+markers+text", text=[""] * (len(bins) - 1) + [name], textposition=position,
            textfont={"color": colour}, line={"color": colour, "width": 2}, marker={"size": 6}, customdata=names,
            error_y={
                "type": "data", "symmetric": False, "thickness": 1, "width": 3, "color": colour,
                "array": [a - b for a, b in zip(high, values, strict=True)],
                "arrayminus": [b - a for a, b in zip(low, values, strict=True)],
            },
            hovertemplate=f"{name} %{{y:,.4g}} ms<br>{load} %{{customdata}}<extra></extra>",
        )  # fmt: skip
    if cap_ns:
        figure.add_hline(y=cap_ns / 1e6, line={"color": BUDGET, "width": 2, "dash": "dot"})
    every = [ns for bin_ in bins for ns in (bin_.p50_ns, bin_.p95_high_ns or bin_.p95_ns)]
    reach = plain_axis(load, range=[0, max(x) * 1.08 + 0.5])
    figure.update_layout(**layout(300), xaxis=reach, yaxis=duration_axis(min(every), max([*every, cap_ns or 0])))
    return figure


def goodput_figure(bins: Sequence[Bin], load: str) -> go.Figure:
    """Good answers a second against the mean load of each bin, with their intervals."""
    figure = go.Figure()
    told = [(bin_, bin_.goodput) for bin_ in bins if bin_.goodput is not None]
    if not told:
        return figure
    rates = [one.per_second for _, one in told]
    x = [(bin_.low + bin_.high) / 2 for bin_, _ in told]
    figure.add_scatter(
        x=x, y=rates, mode="lines+markers", line={"color": LINE, "width": 2}, marker={"size": 6},
        customdata=[f"{range_text(bin_)}: {one.finished:,} in {one.seconds:,.0f} s" for bin_, one in told],
        error_y={
            "type": "data", "symmetric": False, "thickness": 1, "width": 3, "color": LINE,
            "array": [one.high - one.per_second for _, one in told],
            "arrayminus": [one.per_second - one.low for _, one in told],
        },
        hovertemplate=f"%{{y:,.3g}} a second<br>{load} %{{customdata}}<extra></extra>",
    )  # fmt: skip
    figure.update_layout(
        **layout(220),
        xaxis=plain_axis(load, range=[0, max(x) * 1.08 + 0.5]),
        yaxis=plain_axis(ticksuffix="/s", rangemode="tozero"),
    )
    return figure


def stages_under_load_figure(bins: Sequence[Bin], load: str) -> go.Figure:
    """Mean stage times of each bin, stacked: what the growth is made of."""
    figure = go.Figure()
    names = stage_order({stage["stage"] for bin_ in bins for stage in bin_.stages})
    widest = max((sum(stage["mean_ns"] for stage in bin_.stages) for bin_ in bins), default=0)
    unit, size = ("s", 1e9) if widest >= 1e9 else ("ms", 1e6)
    for name in names:
        means = [next((s["mean_ns"] for s in bin_.stages if s["stage"] == name), 0) for bin_ in bins]
        told = [name if mean == max(means) and mean > 0.07 * widest else "" for mean in means]
        figure.add_bar(
            x=[range_text(bin_) for bin_ in bins], y=[mean / size for mean in means], name=name, text=told,
            textposition="inside", insidetextanchor="middle", textangle=0, marker={"color": stage_colour(name)},
            hovertemplate=f"{name}: %{{y:,.3g}} {unit}<br>{load} %{{x}}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        **layout(300, barmode="stack", bargap=0.3, uniformtext={"minsize": 11, "mode": "hide"}),
        xaxis=plain_axis(load, type="category"),
        yaxis=plain_axis(ticksuffix=f" {unit}"),
    )
    return figure
