"""The waterfall: a canvas that draws only the rows in sight."""

from pathlib import Path

import pyarrow as pa
import streamlit as st

from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.trace.result import Trace, TraceSpan
from overbudget.analysis.trace.trace import retried
from overbudget.analysis.trace.typical_durations import Usual
from overbudget.app.charts.theme import stage_colour
from overbudget.app.text.words import count
from overbudget.stages.names import stage_order

HERE = Path(__file__).parent
LONGEST_LABEL = 300


def waterfall(trace: Trace, usual: dict[str, Usual], key: str) -> str | None:
    """Draw the trace, each span with what is typical for its operation; the span id of the chosen span, None where none is."""
    mount = st.components.v2.component(
        "overbudget_waterfall",
        html="<div class='ob-waterfall'></div>",
        css=(HERE / "waterfall.css").read_text(),
        js=(HERE / "waterfall.js").read_text(),
    )
    result = mount(data=_data(trace, usual), key=key, height="content", on_selected_change=lambda: None)
    return result.get("selected") if result else None


def _data(trace: Trace, usual: dict[str, Usual]) -> dict[str, object]:
    """Spans and critical path as Arrow; times in ns since the start of the trace, as doubles (exact up to 104 days)."""
    start, spans = trace.start_ns, trace.spans
    stages = stage_order({span.stage for span in spans})
    place = {stage: number for number, stage in enumerate(stages)}
    rows = {span.span_id: row for row, span in enumerate(spans)}
    path = [
        (
            rows.get(s.span_id, 0),
            number,
            float(s.start_ns - start),
            float(s.end_ns - start),
            place.get(s.stage, 0),
            int(bool(s.hop_to)),
        )
        for number, request in enumerate(trace.requests)
        for s in request.critical_path
    ]
    hops = {s.span_id: s.hop_to for request in trace.requests for s in request.critical_path if s.hop_to}
    times = dict.fromkeys(stages, 0)
    for request in trace.requests:
        for s in request.critical_path:
            times[s.stage] = times.get(s.stage, 0) + s.end_ns - s.start_ns
    whole = max(1, sum(times.values()))
    again = retried(trace)
    columns = {
        "id": [span.span_id for span in spans],
        "label": [f"{span.service_name}: {span.name}"[:LONGEST_LABEL] for span in spans],
        "parent": pa.array([span.parent for span in spans], pa.int32()),
        "depth": pa.array([span.depth for span in spans], pa.int32()),
        "start": [float(span.start_ns - start) for span in spans],
        "end": [float(span.end_ns - start) for span in spans],
        "duration": [format_duration(span.end_ns - span.start_ns) if span.ended else "no end" for span in spans],
        "stage": pa.array([place[span.stage] for span in spans], pa.int32()),
        "failed": pa.array([int(span.status_code == "ERROR") for span in spans], pa.int8()),
        "retry": pa.array([int(span.span_id in again) for span in spans], pa.int8()),
        "first": [float(span.first_token_ns) for span in spans],
        "usual": [float(usual[span.span_id].median_ns) if span.span_id in usual else -1.0 for span in spans],
        "rank": [usual[span.span_id].rank if span.span_id in usual else -1.0 for span in spans],
        "hop": [hops.get(span.span_id) or "" for span in spans],
        "mark": [_marks(span) for span in spans],
        "note": [_note(span) for span in spans],
    }
    names = ("row", "request", "start", "end", "stage", "hop")
    kinds = (pa.int32(), pa.int32(), pa.float64(), pa.float64(), pa.int32(), pa.int8())
    return {
        "revision": f"{trace.trace_id} {len(spans)}",
        "total": max(1, trace.end_ns - start),
        "stages": stages,
        "colours": [stage_colour(stage) for stage in stages],
        "shares": [f"{format_duration(times[s])} ({_share(times[s] / whole)})" if times.get(s) else "" for s in stages],
        "spans": pa.table(columns),
        "path": pa.table(
            {
                name: pa.array([row[i] for row in path], kind)
                for i, (name, kind) in enumerate(zip(names, kinds, strict=True))
            }
        ),
    }


def _share(share: float) -> str:
    return f"{share:.0%}" if share >= 0.005 else "<1%"


def _marks(span: TraceSpan) -> str:
    """Signs beside the name: events, links, a shifted clock, a missing parent."""
    found = [f"◆{len(span.events)}"] if span.events else []
    found += [f"⧉{len(span.links)}"] if span.links else []
    found += ["⇄"] if span.skew_ns else []
    return " ".join([*found, "(no parent)"] if span.orphan else found)


def _note(span: TraceSpan) -> str:
    """The same in words."""
    found = [count(len(span.events), "event")] if span.events else []
    found += [count(len(span.links), "link")] if span.links else []
    found += [f"clock shifted by {format_duration(abs(span.skew_ns))}"] if span.skew_ns else []
    found += ["its parent is not in the data"] if span.orphan else []
    return ", ".join([*found, *([span.status_message[:200]] if span.status_message else [])])
