"""Latency over time: how many requests were how slow when, and when the budget was broken."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from analysis.consistency import Window
from app.charts.axes import duration_axis, layout, plain_axis
from app.charts.theme import BUDGET

COLUMNS, ROWS = 48, 26


def over_time_figure(
    start_ns: npt.NDArray[np.int64],
    latency_ns: npt.NDArray[np.int64],
    cap_ns: int | None,
    windows: Sequence[Window] = (),
) -> go.Figure:
    """A heatmap of requests by start (UTC) and latency (logarithmic); windows whose p95 is over the cap marked above."""
    figure = go.Figure()
    if len(start_ns) == 0:
        return figure
    times = np.linspace(start_ns.min(), start_ns.max() + 1, COLUMNS + 1)
    ms = np.maximum(latency_ns, 1_000) / 1e6
    low, high = float(ms.min()) * 0.95, float(ms.max()) * 1.05
    edges = np.geomspace(low, high, ROWS + 1)
    count, _, _ = np.histogram2d(ms, start_ns, bins=[edges, times])
    middle = ((times[1:] + times[:-1]) / 2).astype("datetime64[ns]")
    figure.add_heatmap(
        x=middle.astype(str), y=np.sqrt(edges[1:] * edges[:-1]), z=np.where(count > 0, count, np.nan),
        colorscale=[[0, "#cfe0f1"], [0.5, "#5d94c7"], [1, "#123d6b"]], showscale=False, xgap=1, ygap=1,
        hovertemplate="%{z:,.0f} requests of about %{y:,.3g} ms<br>%{x|%H:%M:%S}<extra></extra>",
    )  # fmt: skip
    if cap_ns:
        figure.add_hline(y=cap_ns / 1e6, line={"color": BUDGET, "width": 2, "dash": "dot"})
    for window in windows:
        if window.over:
            figure.add_shape(
                type="rect", xref="x", yref="paper", x0=window.start, x1=window.end, y0=1.0, y1=1.03,
                fillcolor=BUDGET, line={"width": 0},
            )  # fmt: skip
    figure.update_layout(**layout(300), xaxis=plain_axis(type="date"), yaxis=duration_axis(low * 1e6, high * 1e6))
    return figure
