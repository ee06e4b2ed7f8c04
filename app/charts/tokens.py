"""What tokens cost in time: calls as points, and the fitted line."""

import plotly.graph_objects as go

from overbudget.analysis.causes.model_tokens import Picture
from overbudget.app.charts.axes import LINE, OTHER, layout, plain_axis


def tokens_figure(picture: Picture) -> go.Figure:
    """A point for each call, tokens against time; the fitted line where tokens show what they cost."""
    figure = go.Figure()
    if not len(picture.tokens):
        return figure
    unit, size = ("s", 1e9) if picture.ns.max() >= 2e9 else ("ms", 1e6)
    figure.add_scatter(
        x=picture.tokens, y=picture.ns / size, mode="markers", marker={"size": 4, "color": OTHER, "opacity": 0.5},
        hovertemplate=f"%{{x:,}} tokens: %{{y:,.4g}} {unit}<extra></extra>",
    )  # fmt: skip
    if picture.at_0_ns is not None and picture.ns_per_token is not None:
        ends = [int(picture.tokens.min()), int(picture.tokens.max())]
        line = [(picture.at_0_ns + picture.ns_per_token * tokens) / size for tokens in ends]
        figure.add_scatter(x=ends, y=line, mode="lines", line={"color": LINE, "width": 2}, hoverinfo="skip")
    figure.update_layout(
        **layout(260),
        xaxis=plain_axis("tokens", rangemode="tozero"),
        yaxis=plain_axis(ticksuffix=f" {unit}", rangemode="tozero"),
    )
    return figure
