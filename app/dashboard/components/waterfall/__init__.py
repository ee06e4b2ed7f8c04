"""The waterfall: a canvas that draws only the rows in sight."""

from pathlib import Path

import streamlit as st

from analysis.durations import format_duration
from analysis.trace import Trace
from analysis.usual import Usual
from app.charts.theme import stage_colour

HERE = Path(__file__).parent


def waterfall(trace: Trace, usual: dict[str, Usual], key: str) -> str | None:
    """Draw the trace; the span id of the chosen span, None where none is."""
    mount = st.components.v2.component(
        "overbudget_waterfall",
        html="<div class='ob-waterfall'></div>",
        css=(HERE / "waterfall.css").read_text(),
        js=(HERE / "waterfall.js").read_text(),
    )
    result = mount(data=_data(trace), key=key, height="content", on_selected_change=lambda: None)
    return result.get("selected") if result else None


def _data(trace: Trace) -> dict[str, object]:
    """Columns, times in ns since the start of the trace (numbers that a double holds exactly)."""
    start = trace.start_ns
    rows = {span.span_id: row for row, span in enumerate(trace.spans)}
    segments = [segment for request in trace.requests for segment in request.critical_path]
    stages = sorted({span.stage for span in trace.spans})
    return {
        "revision": trace.trace_id,
        "total": max(1, trace.end_ns - start),
        "id": [span.span_id for span in trace.spans],
        "label": [f"{span.service_name}: {span.name}"[:300] for span in trace.spans],
        "parent": [span.parent for span in trace.spans],
        "depth": [span.depth for span in trace.spans],
        "start": [span.start_ns - start for span in trace.spans],
        "end": [span.end_ns - start for span in trace.spans],
        "duration": [format_duration(span.end_ns - span.start_ns) if span.ended else "no end" for span in trace.spans],
        "stage": [stages.index(span.stage) for span in trace.spans],
        "failed": [span.status_code == "ERROR" for span in trace.spans],
        "stages": stages,
        "colours": [stage_colour(stage) for stage in stages],
        "segment_row": [rows.get(segment.span_id, 0) for segment in segments],
        "segment_start": [segment.start_ns - start for segment in segments],
        "segment_end": [segment.end_ns - start for segment in segments],
        "segment_hop": [segment.hop_to or "" for segment in segments],
    }
