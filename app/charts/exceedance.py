"""Which share of requests is slower than x: on log-log axes, so that the tail shows."""

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from app.charts.theme import BUDGET

POINTS = 600


def exceedance_figure(latency_ns: npt.NDArray[np.int64], percentile_of_cap: dict[int, int]) -> go.Figure:
    """Share of requests slower than x; each cap (ns → percentile) as a red mark that the curve must stay below."""
    ordered = np.sort(latency_ns) / 1e6
    n = len(ordered)
    rows = np.unique(np.geomspace(1, max(n, 1), min(POINTS, max(n, 1))).astype(int))
    share = rows / max(n, 1)
    x = ordered[n - rows] if n else ordered
    figure = go.Figure()
    figure.add_scatter(
        x=x,
        y=share,
        mode="lines",
        line={"color": "#2563a8", "width": 2, "shape": "hv"},
        hovertemplate="%{y:.2%} of requests take longer than %{x:,.0f} ms<extra></extra>",
    )
    for cap, percentile in percentile_of_cap.items():
        figure.add_scatter(
            x=[cap / 1e6], y=[1 - percentile / 100], mode="markers+text", text=[f"p{percentile} cap"], textposition="top right",
            marker={"color": BUDGET, "symbol": "x-thin", "size": 10, "line": {"color": BUDGET, "width": 2}},
            textfont={"color": BUDGET}, hovertemplate=f"at most {100 - percentile}% may take longer than {cap / 1e6:,.0f} ms<extra></extra>",
        )  # fmt: skip
    ticks = [v for e in range(-2, 7) for v in (10**e, 1.5 * 10**e, 2 * 10**e, 3 * 10**e, 5 * 10**e, 7 * 10**e)]
    figure.update_layout(
        height=290,
        margin={"l": 56, "r": 16, "t": 8, "b": 36},
        showlegend=False,
        xaxis={"type": "log", "tickvals": ticks, "ticktext": [_tick(v) for v in ticks], "fixedrange": True},
        yaxis={
            "type": "log",
            "tickvals": [1, 0.5, 0.1, 0.05, 0.01, 0.001],
            "ticktext": ["100%", "50%", "10%", "5%", "1%", "0.1%"],
            "fixedrange": True,
        },
    )
    return figure


def _tick(ms: float) -> str:
    if ms >= 1_000:
        return f"{ms / 1_000:g} s"
    return f"{ms:g} ms" if ms >= 1 else f"{ms * 1_000:g} µs"
