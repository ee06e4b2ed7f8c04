"""Latency over time: the number of requests by start time and latency, and when the budget was exceeded."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from overbudget.analysis.consistency.consistency import Window
from overbudget.analysis.deployments.deployments import Deployment
from overbudget.analysis.review.heatmap import Grid
from overbudget.app.charts.axes import duration_axis, layout, plain_axis, plain_name
from overbudget.app.charts.theme import BUDGET

MARK = "#8a94a0"  # of the first request of a version
LONGEST_VERSION = 20
# one blue, partly transparent: many requests stand out from a white and from a black background
DENSITY = [[0, "rgba(58,127,193,.35)"], [0.5, "rgba(58,127,193,.7)"], [1, "rgba(58,127,193,1)"]]


def over_time_figure(
    grid: Grid, cap_ns: int | None, windows: Sequence[Window] = (), deployments: Sequence[Deployment] = ()
) -> go.Figure:
    """A heatmap of requests by start (UTC) and latency (logarithmic); windows whose p95 is over the cap marked above, and
    the first request of each version by a line.

    Plotly's heatmaps cannot be clicked, so invisible points lie on the cells: clicking one yields `grid|ROW|COLUMN`.
    """
    figure = go.Figure()
    if not grid.counts.size:
        return figure
    times = ((grid.starts_ns[1:] + grid.starts_ns[:-1]) / 2).astype("datetime64[ns]").astype(str)
    ms = np.sqrt(grid.latencies_ns[1:] * grid.latencies_ns[:-1]) / 1e6
    rows, columns = np.nonzero(grid.counts)
    figure.add_heatmap(
        x=times, y=ms, z=np.where(grid.counts > 0, grid.counts, np.nan), hoverinfo="skip",
        colorscale=DENSITY, showscale=False, xgap=1, ygap=1,
    )  # fmt: skip
    figure.add_scatter(
        x=times[columns], y=ms[rows], mode="markers", marker={"opacity": 0, "size": 9, "symbol": "square"},
        selected={"marker": {"opacity": 1, "color": BUDGET, "size": 5}}, unselected={"marker": {"opacity": 0}},
        customdata=[
            [f"{count:,}", f"grid|{row}|{column}"]
            for row, column, count in zip(rows, columns, grid.counts[rows, columns], strict=True)
        ],
        hovertemplate="requests: %{customdata[0]}, of about %{y:,.3g} ms<br>%{x|%H:%M:%S}<extra></extra>",
    )  # fmt: skip
    if cap_ns:
        figure.add_hline(y=cap_ns / 1e6, line={"color": BUDGET, "width": 2, "dash": "dot"})
    for window in windows:
        if window.over:
            figure.add_shape(
                type="rect", xref="x", yref="paper", x0=window.start, x1=window.end, y0=1.0, y1=1.03,
                fillcolor=BUDGET, line={"width": 0},
            )  # fmt: skip
    for start, version in dict.fromkeys((one.start, one.version) for one in deployments):
        figure.add_shape(
            type="line", xref="x", yref="paper", x0=start, x1=start, y0=0, y1=1, line={"color": MARK, "width": 1}
        )
        figure.add_annotation(
            x=start, yref="paper", y=1, yanchor="top", xanchor="left", showarrow=False, textangle=-90,
            text=plain_name(version, LONGEST_VERSION), font={"size": 11},
        )  # fmt: skip
    low, high = grid.latencies_ns[[0, -1]]
    figure.update_layout(**layout(300), xaxis=plain_axis(type="date"), yaxis=duration_axis(float(low), float(high)))
    return figure
