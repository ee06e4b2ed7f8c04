"""The waterfall: a canvas that draws only the visible rows."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import streamlit as st

from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.trace.result import Trace, TraceSpan
from overbudget.analysis.trace.runs_out import Spent
from overbudget.analysis.trace.trace import retried
from overbudget.analysis.trace.typical_durations import Typical
from overbudget.app.charts.theme import stage_colour
from overbudget.app.text.words import count
from overbudget.stages.names import stage_order

HERE = Path(__file__).parent
LONGEST_LABEL = 300


def waterfall(trace: Trace, typical: dict[str, Typical], spent: Sequence[Spent], key: str) -> str | None:
    """Draw the trace, each span with its operation's typical duration, and where requests run out of their caps; returns the
    id of the chosen span, or None."""
    mount = st.components.v2.component(
        "overbudget_waterfall",
        html="<div class='ob-waterfall'></div>",
        css=(HERE / "waterfall.css").read_text(),
        js=(HERE / "waterfall.js").read_text(),
    )
    result = mount(data=_data(trace, typical, spent), key=key, height="content", on_selected_change=lambda: None)
    return result.get("selected") if result else None


def _data(trace: Trace, typical: dict[str, Typical], spent: Sequence[Spent]) -> dict[str, object]:
    """What the component draws: spans and critical path as Arrow, and a legend of the stages with their times."""
    stages = stage_order({span.stage for span in trace.spans})
    return {
        "revision": f"{trace.trace_id} {len(trace.spans)} {[one.at_ns for one in spent]}",
        "total": max(1, trace.end_ns - trace.start_ns),
        "stages": stages,
        "colours": [stage_colour(stage) for stage in stages],
        "shares": _shares(trace, stages),
        "spans": _span_columns(trace, stages, typical),
        "path": _path_columns(trace, stages),
        "spent": [float(one.at_ns - trace.start_ns) for one in spent],
        "caps": [f"{format_duration(one.cap_ns)} spent" for one in spent],
    }


def _shares(trace: Trace, stages: list[str]) -> list[str]:
    """For each stage its time on the critical paths and its share of them, as text; "" where it has none."""
    times = dict.fromkeys(stages, 0)
    for request in trace.requests:
        for s in request.critical_path:
            times[s.stage] = times.get(s.stage, 0) + s.end_ns - s.start_ns
    whole = max(1, sum(times.values()))
    return [f"{format_duration(times[s])} ({_share(times[s] / whole)})" if times.get(s) else "" for s in stages]


def _span_columns(trace: Trace, stages: list[str], typical: dict[str, Typical]) -> pa.Table:
    """A row per span; times in ns since the start of the trace, as doubles (exact up to 104 days)."""
    start, spans = trace.start_ns, trace.spans
    place = {stage: number for number, stage in enumerate(stages)}
    hops = {s.span_id: s.hop_to for request in trace.requests for s in request.critical_path if s.hop_to}
    again = retried(trace)
    return pa.table(
        {
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
            "typical": [float(typical[s.span_id].median_ns) if s.span_id in typical else -1.0 for s in spans],
            "rank": [typical[span.span_id].rank if span.span_id in typical else -1.0 for span in spans],
            "hop": [hops.get(span.span_id) or "" for span in spans],
            "mark": [_marks(span) for span in spans],
            "note": [_note(span) for span in spans],
        }
    )


def _path_columns(trace: Trace, stages: list[str]) -> pa.Table:
    """A row per segment of the critical paths: the row of its span, its request, times as above, stage, whether a hop."""
    place = {stage: number for number, stage in enumerate(stages)}
    rows = {span.span_id: row for row, span in enumerate(trace.spans)}
    segments = [(number, s) for number, request in enumerate(trace.requests) for s in request.critical_path]
    return pa.table(
        {
            "row": pa.array([rows.get(s.span_id, 0) for _, s in segments], pa.int32()),
            "request": pa.array([number for number, _ in segments], pa.int32()),
            "start": pa.array([float(s.start_ns - trace.start_ns) for _, s in segments], pa.float64()),
            "end": pa.array([float(s.end_ns - trace.start_ns) for _, s in segments], pa.float64()),
            "stage": pa.array([place.get(s.stage, 0) for _, s in segments], pa.int32()),
            "hop": pa.array([int(bool(s.hop_to)) for _, s in segments], pa.int8()),
        }
    )


def _share(share: float) -> str:
    return f"{share:.0%}" if share >= 0.005 else "<1%"


def _marks(span: TraceSpan) -> str:
    """Signs next to the name: events, links, a shifted clock, a missing parent."""
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
