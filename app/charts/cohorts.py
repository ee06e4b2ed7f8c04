"""Two cohorts of requests side by side: which share of each takes longer than x."""

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from overbudget.app.charts.axes import LINE, OTHER, duration_axis, layout, plain_axis, plain_name
from overbudget.app.charts.theme import BUDGET

POINTS = 400
SHARES = [1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.001]


def cohorts_figure(
    cohorts: dict[str, npt.NDArray[np.int64]], cap_ns: int | None = None, height: int = 300
) -> go.Figure:
    """Share of each cohort (name → ns of its requests) that takes longer than x, on log-log axes; the first stands out."""
    figure = go.Figure()
    every = np.concatenate([times[times > 0] for times in cohorts.values()] or [np.zeros(0, np.int64)])
    if len(every) == 0:
        return figure
    colours = [LINE, OTHER]
    for place, (told, times) in enumerate(cohorts.items()):
        name = plain_name(told, 40)
        ordered = np.sort(np.maximum(times, 1_000)) / 1e6
        n = len(ordered)
        if n == 0:
            continue
        rows = np.unique(np.geomspace(1, n, min(POINTS, n)).astype(int))
        figure.add_scatter(
            x=ordered[n - rows], y=rows / n, name=name, mode="lines",
            line={"color": colours[place % 2], "width": 2.5 if place == 0 else 2, "shape": "hv"},
            hovertemplate=f"{name}: %{{y:.1%}} take longer than %{{x:,.4g}} ms<extra></extra>",
        )  # fmt: skip
        figure.add_annotation(  # above the curves, the first on the right, where the slower ones are
            xref="paper", yref="paper", x=1 - place, y=1, xanchor="left" if place else "right", yanchor="bottom",
            yshift=2, text=f"<b>—</b> {name}", showarrow=False, font={"color": colours[place % 2], "size": 12},
        )  # fmt: skip
    if cap_ns:
        figure.add_vline(x=cap_ns / 1e6, line={"color": BUDGET, "width": 2, "dash": "dot"})
    low = float(np.quantile(every, 0.001))
    share = {"type": "log", "tickvals": SHARES, "ticktext": [f"{s:.1%}" if s < 0.01 else f"{s:.0%}" for s in SHARES]}
    least = min((1 / max(len(times), 1) for times in cohorts.values()), default=0.01)
    share["range"] = [np.log10(max(least, 1e-4)) - 0.1, 0.1]
    frame = layout(height)
    frame["margin"] = {**frame["margin"], "t": 26}
    figure.update_layout(
        **frame,
        xaxis=duration_axis(low, float(every.max())),
        yaxis=plain_axis("share that takes longer", **share),
    )
    return figure
