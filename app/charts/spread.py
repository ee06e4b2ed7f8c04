"""How much times spread: from the median to p95 and p99, one line each."""

from collections.abc import Sequence

import plotly.graph_objects as go

from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.consistency.consistency import Spread
from overbudget.app.charts.axes import LINE, duration_axis, layout, plain_axis, plain_name
from overbudget.app.charts.theme import BUDGET

MOST = 12
LONGEST = 28


def spread_figure(found: Sequence[Spread]) -> go.Figure:
    """The median as a dot, a thick line to p95, a thin one to p99, the cap as a red mark; logarithmic."""
    figure = go.Figure()
    shown = [one for one in found if one.p50_ns > 0][:MOST]
    names = [plain_name(one.name, LONGEST) for one in shown]
    for name, one in zip(names, shown, strict=True):
        for end, width in ((one.p99_ns, 2), (one.p95_ns, 7)):
            if end is not None:
                figure.add_scatter(
                    x=[one.p50_ns / 1e6, end / 1e6], y=[name, name], mode="lines", hoverinfo="skip",
                    line={"color": LINE, "width": width},
                )  # fmt: skip
        label = (
            f"p50 {format_duration(one.p50_ns)}, p95 {format_duration(one.p95_ns)}, p99 {format_duration(one.p99_ns)}"
        )
        figure.add_scatter(
            x=[one.p50_ns / 1e6], y=[name], mode="markers", text=[label], hovertemplate="%{y}: %{text}<extra></extra>",
            marker={"size": 10, "color": "white", "line": {"color": LINE, "width": 2.5}},
        )  # fmt: skip
        if one.budget_ns:
            figure.add_scatter(
                x=[one.budget_ns / 1e6], y=[name], mode="markers", text=[format_duration(one.budget_ns)],
                hovertemplate="%{y}: cap %{text}<extra></extra>",
                marker={"symbol": "line-ns", "size": 16, "line": {"color": BUDGET, "width": 2.5}},
            )  # fmt: skip
    every = [ns for one in shown for ns in (one.p50_ns, one.p95_ns, one.p99_ns, one.budget_ns) if ns] or [1_000_000]
    frame = layout(60 + 30 * max(1, len(shown)))
    frame["margin"] = {**frame["margin"], "l": 150}
    figure.update_layout(
        **frame, xaxis=duration_axis(min(every), max(every)), yaxis=plain_axis(type="category", autorange="reversed")
    )
    return figure
