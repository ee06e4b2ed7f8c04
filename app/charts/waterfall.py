"""A trace as bars, for a notebook or a picture; the dashboard draws large ones on a canvas of its own."""

import plotly.graph_objects as go

from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.trace.result import Trace
from overbudget.app.charts.axes import layout, plain_axis, plain_name
from overbudget.app.charts.theme import stage_colour

MOST_SPANS = 200
PATH = "rgba(128, 128, 128, 0.95)"


def waterfall_figure(trace: Trace) -> go.Figure:
    """A bar for each span in the colour of its stage, and below it a line where it is on the critical path.

    Of a trace with more than 200 spans, only those with the most time on the critical path are drawn.
    """
    rows = sorted(range(len(trace.spans)), key=lambda row: (-trace.spans[row].critical_ns, row))[:MOST_SPANS]
    spans = [trace.spans[row] for row in sorted(rows)]
    unit, divisor = ("s", 1e9) if trace.end_ns - trace.start_ns >= 1e9 else ("ms", 1e6)
    figure = go.Figure()
    figure.add_bar(
        y=list(range(len(spans))), base=[(span.start_ns - trace.start_ns) / divisor for span in spans],
        x=[(span.end_ns - span.start_ns) / divisor for span in spans], orientation="h", width=0.7,
        marker={"color": [stage_colour(span.stage) for span in spans], "line": {"width": 0}},
        customdata=[
            [plain_name(f"{span.service_name}: {span.name}"), format_duration(span.end_ns - span.start_ns), span.stage]
            for span in spans
        ],
        hovertemplate="%{customdata[0]}<br>%{customdata[1]}, %{customdata[2]}<extra></extra>",
    )  # fmt: skip
    place = {span.span_id: row for row, span in enumerate(spans)}
    path = [segment for request in trace.requests for segment in request.critical_path if segment.span_id in place]
    figure.add_bar(
        y=[place[segment.span_id] + 0.4 for segment in path], orientation="h", width=0.16, hoverinfo="skip",
        base=[(segment.start_ns - trace.start_ns) / divisor for segment in path],
        x=[(segment.end_ns - segment.start_ns) / divisor for segment in path], marker={"color": PATH},
    )  # fmt: skip
    names = [" " * 3 * min(span.depth, 8) + plain_name(span.name, 40) for span in spans]
    frame = layout(60 + 22 * max(1, len(spans)), barmode="overlay")
    frame["margin"] = {**frame["margin"], "l": 260}
    labels = plain_axis(autorange="reversed", tickvals=list(range(len(spans))), ticktext=names)
    figure.update_layout(**frame, xaxis=plain_axis(ticksuffix=f" {unit}"), yaxis=labels)
    return figure
