"""Which share of requests is slower than x: on log-log axes, so that the tail shows."""

from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from overbudget.app.charts.axes import LINE, duration_axis, layout, plain_axis
from overbudget.app.charts.theme import BUDGET

POINTS = 600
SHARES = {1: "100%", 0.5: "50%", 0.1: "10%", 0.05: "5%", 0.01: "1%", 0.001: "0.1%"}


def exceedance_figure(latency_ns: npt.NDArray[np.int64], percentile_of_cap: dict[int, int]) -> go.Figure:
    """Share of requests slower than x; each cap (ns → percentile) as a red mark that the curve must stay below.

    Clicking a point of the curve yields the choice `about|NS`.
    """
    ordered = np.sort(latency_ns)
    n = len(ordered)
    rows = np.unique(np.geomspace(1, max(n, 1), min(POINTS, max(n, 1))).astype(int))
    ns = ordered[n - rows] if n else ordered
    figure = go.Figure()
    figure.add_scatter(
        x=ns / 1e6, y=rows / n if n else [], mode="lines+markers", line={"color": LINE, "width": 2, "shape": "hv"},
        marker={"opacity": 0, "size": 10}, selected={"marker": {"opacity": 1, "color": LINE}},
        unselected={"marker": {"opacity": 0}}, customdata=[[f"about|{at}"] for at in ns],
        hovertemplate="%{y:.2%} of requests take longer than %{x:,.0f} ms<extra></extra>",
    )  # fmt: skip
    for cap, percentile in percentile_of_cap.items():
        broken = n and np.count_nonzero(ordered > cap) / n > 1 - percentile / 100
        figure.add_scatter(
            x=[cap / 1e6], y=[1 - percentile / 100], mode="markers+text", text=[f"p{percentile} cap"],
            textposition="bottom left" if broken else "top right",
            marker={"color": BUDGET, "symbol": "x-thin", "size": 10, "line": {"color": BUDGET, "width": 2}},
            textfont={"color": BUDGET}, hovertemplate=f"at most {100 - percentile}% may take longer than {cap / 1e6:,.0f} ms<extra></extra>",
        )  # fmt: skip
    reach = [int(ns.min()), int(ns.max()), *percentile_of_cap] if n else [1_000_000, *percentile_of_cap]
    share: dict[str, Any] = {"type": "log", "tickvals": list(SHARES), "ticktext": list(SHARES.values())}
    figure.update_layout(**layout(300), xaxis=duration_axis(min(reach), max(reach)), yaxis=plain_axis(**share))
    return figure
