"""What is left of the total cap along the way: a row for each stage that takes the path, from the request's arrival on."""

import plotly.graph_objects as go

from overbudget.analysis.review.result import Review
from overbudget.app.charts.axes import LINE, OTHER, layout, plain_axis, plain_name
from overbudget.app.charts.theme import BUDGET
from overbudget.app.text.burn_down import begins, end_of, signed, usual_visits

ARRIVES, SENT = "request arrives", "answer sent"
BEYOND = "rgba(220, 53, 69, .10)"  # the field in which nothing is left


def burn_down_figure(review: Review, percentile: int) -> go.Figure:
    """The mean of the requests around the percentile, and of typical ones; red where the cap is overspent."""
    figure = go.Figure()
    rows = usual_visits(review, percentile)
    cap_ns = review.made_of(percentile).left_of_ns if rows else None
    if not rows or cap_ns is None:
        return figure
    band_end, typical_end = end_of(review, percentile)
    names = [ARRIVES, *(plain_name(f"{begins(left)} begins", 40) for left in rows), SENT]
    band = [cap_ns, *(left.left_ns for left in rows), band_end]
    typical = [cap_ns, *(left.typical_ns for left in rows), typical_end]
    low = min(0, *(ns for ns in (*band, *typical) if ns is not None))
    unit, size = ("s", 1e9) if cap_ns >= 1e9 else ("ms", 1e6)
    reach = [(low - 0.12 * cap_ns) / size, 1.06 * cap_ns / size]
    figure.add_shape(
        type="rect", x0=reach[0], x1=0, y0=0, y1=1, yref="paper", fillcolor=BEYOND, line={"width": 0}, layer="below"
    )
    figure.add_vline(x=0, line={"color": BUDGET, "width": 1.5})
    for name, values, colour in (("typical requests", typical, OTHER), (f"around p{percentile}", band, LINE)):
        known = [(place, ns) for place, ns in enumerate(values) if ns is not None]
        ours = colour == LINE
        figure.add_scatter(
            x=[ns / size for _, ns in known], y=[names[place] for place, _ in known], name=name,
            mode="lines+markers+text" if ours else "lines+markers",
            text=[_label(ns, place) if ours else "" for place, ns in known], textposition=_beside_the_line(known, cap_ns, low),
            textfont={"size": 12, "color": [BUDGET if ns < 0 else LINE for _, ns in known]},
            line={"color": colour, "width": 2.5 if ours else 1.5},
            marker={"size": 8, "color": [BUDGET if ours and ns < 0 else colour for _, ns in known]},
            cliponaxis=False,
            customdata=[signed(ns) for _, ns in known],
            hovertemplate=f"%{{y}}: %{{customdata}} ({name})<extra></extra>",
        )  # fmt: skip
    frame = layout(52 + 25 * len(names))
    frame["margin"] = {**frame["margin"], "l": 170, "t": 4}
    figure.update_layout(
        **frame,
        xaxis=plain_axis(range=reach, ticksuffix=f" {unit}", nticks=7),
        yaxis=plain_axis(type="category", categoryorder="array", categoryarray=names, autorange="reversed"),
    )
    return figure


def _beside_the_line(known: list[tuple[int, int]], cap_ns: int, low: int) -> list[str]:
    """Labels stand left of their points, above the line where that leaves to the left; in the left third, where a narrow
    window would cut them off, right of the points and below the line that comes from there."""
    spent = [ns - after for (_, ns), (_, after) in zip(known, [*known[1:], known[-1]], strict=True)]
    left = ["top left" if one > 0.03 * cap_ns else "middle left" for one in spent]
    third = low + (cap_ns - low) / 3
    return ["bottom right" if ns < third else place for place, (_, ns) in zip(left, known, strict=True)]


def _label(ns: int, place: int) -> str:
    return "" if place == 0 else f" {signed(ns)}  "
