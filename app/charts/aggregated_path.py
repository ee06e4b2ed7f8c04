"""The critical path of many requests put together: where a request's time goes, by stage, service and operation."""

from collections.abc import Sequence

import plotly.graph_objects as go

from overbudget.analysis.common.durations import format_duration
from overbudget.app.charts.axes import layout, plain_name
from overbudget.app.charts.theme import stage_colour


def aggregated_path_figure(parts: Sequence[tuple[str, str, str, float]], whole: str) -> go.Figure:
    """An icicle of mean ns per request; `parts` are (stage, service, operation, ns). Names are shown as text."""
    totals: dict[tuple[str, ...], float] = {}
    for stage, service, operation, ns in parts:
        for path in ((), (stage,), (stage, service), (stage, service, operation)):
            totals[path] = totals.get(path, 0.0) + ns
    paths = [path for path, ns in totals.items() if ns > 0]
    ids = ["\x1f".join(path) or "\x1f" for path in paths]
    parents = ["" if not path else "\x1f".join(path[:-1]) or "\x1f" for path in paths]
    figure = go.Figure(
        go.Icicle(
            ids=ids, parents=parents, branchvalues="total", sort=False, tiling={"orientation": "v"},
            labels=[plain_name(path[-1]) if path else whole for path in paths],
            values=[totals[path] for path in paths],
            marker={"colors": [stage_colour(path[0]) if path else "#5f6a75" for path in paths]},
            text=[format_duration(round(totals[path])) for path in paths], textinfo="label+text",
            hovertemplate="%{label}: %{text} a request<extra></extra>",
        )
    )  # fmt: skip
    frame = layout(340, uniformtext={"minsize": 11, "mode": "hide"})
    frame["margin"] = {"l": 4, "r": 4, "t": 4, "b": 4}
    figure.update_layout(**frame)
    return figure
