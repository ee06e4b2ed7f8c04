"""overbudget.open(…).trace()."""

from typing import TYPE_CHECKING

import duckdb

from overbudget.analysis.trace.result import Trace
from overbudget.analysis.trace.trace import load_trace
from overbudget.answers.answer import Answer, Form
from overbudget.app.html.svg import waterfall_svg
from overbudget.app.text.waterfall import heading

if TYPE_CHECKING:
    import plotly.graph_objects as go


def ask(connection: duckdb.DuckDBPyConnection, trace_id: str) -> Answer[Trace]:
    """One trace; its chart is the waterfall."""
    found = load_trace(connection, trace_id)

    def figure() -> "go.Figure":
        from overbudget.app.charts.waterfall import waterfall_figure

        return waterfall_figure(found)

    return Answer(found, found.as_dict, lambda: form(found), figure)


def form(found: Trace) -> Form:
    """The critical path, segment by segment; in a notebook the waterfall."""
    path = [
        {"request_span_id": request["span_id"], "route": request["route"], **segment}
        for request in found.as_dict()["requests"]
        for segment in request["critical_path"]
    ]
    picture = f'<div style="fill:currentColor;max-width:960px">{waterfall_svg(found)}</div>'
    return Form(heading(found), {"critical_path": path}, (), picture)
