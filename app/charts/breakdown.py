"""What the requests nearest to each percentile are made of: means, a stack that adds up."""

import plotly.graph_objects as go

from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.review.result import Breakdown, Review
from overbudget.analysis.review.rows import TOTAL
from overbudget.app.charts.axes import plain_name
from overbudget.app.charts.parts import WRITING, parts_of
from overbudget.app.charts.theme import BUDGET
from overbudget.app.text.marks import MARKS

MS = 1e6


def _mean_text(review: Review, made_of: Breakdown) -> str:
    """The mean latency of the requests of a bar, which is not the percentile, and whether that is over its cap."""
    row = review.row(made_of.percentile)
    mark = MARKS.get(row.verdict, "")
    said = f"{mark}mean {format_duration(made_of.band_latency_ns)}"
    return f'<b style="color:{BUDGET}">{said}</b>' if row.verdict == "over" else said


def breakdown_figure(review: Review) -> go.Figure:
    """Horizontal bars, one per percentile: mean times of the requests nearest to it, stacked by stage (by service where
    stages explain little); the cap of each as a red line.

    Clicking a part yields the choice `STAGE|PERCENTILE`, for a service `total|PERCENTILE`.
    """
    known = [made_of for made_of in review.breakdown if made_of.stages]
    names = [f"p{made_of.percentile}" for made_of in known]
    figure = go.Figure()
    widest = max((made_of.band_latency_ns or 0 for made_of in known), default=0)
    reach = max([widest, *(review.row(made_of.percentile).budget_ns or 0 for made_of in known)], default=0)
    longest = next((made_of for made_of in known if made_of.band_latency_ns == widest), None)
    unit, divisor = ("s", 1e9) if widest >= 1e9 else ("ms", MS)
    for name, stage, colour, values in parts_of(review):
        if not any(values):
            continue
        label = [
            plain_name(name.split(": ")[-1] if stage != TOTAL else name)
            if made_of is longest and value > 0.01 * widest
            else ""
            for made_of, value in zip(known, values, strict=True)
        ]
        figure.add_bar(
            y=names,
            x=[value / divisor for value in values],
            name=plain_name(name),
            orientation="h",
            marker={
                "color": colour,
                "opacity": 0.72 if name == WRITING else 1,
                "pattern": {
                    "shape": ["/" if stage == "unattributed" and value > 0.02 * widest else "" for value in values],
                    "fgcolor": "#999999",
                },
            },
            text=label,
            textposition="inside",
            insidetextanchor="start",
            textangle=0,
            customdata=[
                [format_duration(value), f"{stage}|{made_of.percentile}"]
                for made_of, value in zip(known, values, strict=True)
            ],
            unselected={"marker": {"opacity": 0.65}},
            hovertemplate=f"{plain_name(name)}: %{{customdata[0]}}<extra>%{{y}}</extra>",
        )
    means = [_mean_text(review, made_of) for made_of in known]
    for made_of, name, text in zip(known, names, means, strict=True):
        cap, at = review.row(made_of.percentile).budget_ns, made_of.band_latency_ns or 0
        beyond = cap if cap and at <= cap < at + 0.1 * reach else at  # so that the text does not cross the cap's line
        figure.add_annotation(x=beyond / divisor, y=name, text=text, showarrow=False, xanchor="left", xshift=5)
        if cap:
            y = names.index(name)
            figure.add_shape(
                type="line",
                x0=cap / divisor,
                x1=cap / divisor,
                y0=y - 0.45,
                y1=y + 0.45,
                line={"color": BUDGET, "width": 2, "dash": "dot"},
            )
    figure.update_layout(
        barmode="stack",
        height=70 + 44 * max(1, len(known)),
        margin={"l": 44, "r": 16, "t": 8, "b": 36},
        showlegend=False,
        uniformtext={"minsize": 11, "mode": "hide"},  # a name that does not fit is left out: the key below has it
        xaxis={"ticksuffix": f" {unit}", "range": [0, 1.2 * reach / divisor], "zeroline": False, "fixedrange": True},
        yaxis={"autorange": "reversed", "fixedrange": True},
        bargap=0.35,
    )
    return figure
