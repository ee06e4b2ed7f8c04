"""Facts about a trace and about one of its spans, as tables: names and values are untrusted, so never as HTML."""

import json
from collections.abc import Mapping
from html import escape

import duckdb
import pandas as pd
import streamlit as st

from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.trace.otlp import trace_otlp
from overbudget.analysis.trace.result import Trace, TraceSpan
from overbudget.analysis.trace.runs_out import Spent
from overbudget.analysis.trace.typical_durations import Typical
from overbudget.app.dashboard.wording import literal
from overbudget.app.text.words import clean, count, stage_name


def trace_summary(trace: Trace, spent: Mapping[str, Spent], by_own_rules: bool) -> None:
    """Which request it is, how long it took, and where most of its time went; `by_own_rules` says that the review's differ."""
    for request in trace.requests:
        stages: dict[str, int] = {}
        for segment in request.critical_path:
            stages[segment.stage] = stages.get(segment.stage, 0) + segment.end_ns - segment.start_ns
        ranked = sorted(stages.items(), key=lambda item: -item[1])
        parts = ", ".join(f"{stage} {format_duration(ns)}" for stage, ns in ranked)
        note = "" if request.complete else " (incomplete: a span lacks its end or its parent)"
        note += f", {format_duration(request.user_ns)} of it waiting for a person" if request.user_ns else ""
        out = spent.get(request.span_id)
        where = (
            f" The cap of {format_duration(out.cap_ns)} runs out in {stage_name(out.stage)}, {format_duration(out.over_ns)} before the end."
            if out
            else ""
        )
        st.html(
            f'<p class="ob-head">{escape(clean(request.route))}: {format_duration(request.duration_ns)}{note}</p>'
            f'<p class="ob-why">Critical path: {escape(parts)}.{escape(where)}</p>'
        )
    where = f"Trace {trace.trace_id}, {count(len(trace.spans), 'span')}"
    skewed = sum(span.skew_ns != 0 for span in trace.spans)
    st.html(
        f'<p class="ob-note">{where}{f", {skewed} of them shifted onto the clock of their parent" if skewed else ""}.'
        f"{' Requests and stages are those stored at ingest: the rules of the budget do not show here.' if by_own_rules else ''}</p>"
    )


def span_details(trace: Trace, selected: str | None, typical: dict[str, Typical]) -> None:
    """Times, attributes, events and links of the chosen span."""
    span = next((one for one in trace.spans if one.span_id == selected), None)
    if span is None:
        st.caption("Choose a span to see its attributes, events and links.")
        return
    st.subheader(literal(clean(f"{span.service_name}: {span.name}")[:200]), anchor=False)
    facts = {
        "duration": format_duration(span.end_ns - span.start_ns) if span.ended else "no end recorded",
        "on the critical path": format_duration(span.critical_ns),
        "request time that passed while it ran": format_duration(meanwhile)
        if (meanwhile := trace.meanwhile_ns.get(span.span_id))
        else "",
        "among spans of its operation": _rank(typical.get(span.span_id)),
        "starts after": format_duration(span.start_ns - trace.start_ns),
        "stage": span.stage,
        **_call(span),
        "kind": span.kind,
        "status": " ".join(filter(None, (span.status_code, span.status_message))),
        "clock shifted by": format_duration(span.skew_ns)
        if span.skew_ns > 0
        else f"{span.skew_ns} ns"
        if span.skew_ns
        else "",
        "span id": span.span_id,
        "parent": span.parent_span_id or "none",
    }
    both = {**{k: v for k, v in facts.items() if v}, **span.attributes}
    _table(both)
    if span.events:
        st.caption("Events")
        st.dataframe(
            pd.DataFrame(
                {
                    "after": [
                        format_duration(e["time_ns"] - span.start_ns) if e["time_ns"] else "" for e in span.events
                    ],
                    "name": [clean(e["name"]) for e in span.events],
                    "attributes": [str(e["attributes"]) for e in span.events],
                }
            ),
            hide_index=True,
        )
    if span.links:
        st.caption("Links")
        st.dataframe(pd.DataFrame(span.links).astype(str), hide_index=True)
    with st.expander("Resource"):
        _table(span.resource_attributes)


def _call(span: TraceSpan) -> dict[str, str]:
    """What is known of a model call, as one table reads it: however the framework wrote it."""
    call = span.call
    if call is None:
        return {}
    cached = f", {call.cached_tokens:,} of them from the provider's cache" if call.cached_tokens else ""
    return {
        "model": clean(call.model or ""),
        "first token after": "" if call.first_token_ns is None else format_duration(call.first_token_ns),
        "tokens read": "" if call.input_tokens is None else f"{call.input_tokens:,}{cached}",
        "tokens written": "" if call.output_tokens is None else f"{call.output_tokens:,}",
        "cost": "" if call.cost is None else f"{call.cost:.6g}",
    }


def download_trace(connection: duckdb.DuckDBPyConnection, trace: Trace) -> None:
    """A button to download the trace as OTLP/JSON, made on demand."""
    st.download_button(
        "Trace as OTLP/JSON",
        lambda: json.dumps(trace_otlp(connection, trace.trace_id), ensure_ascii=False, indent=1),
        file_name=f"trace-{trace.trace_id}.json",
        mime="application/json",
        on_click="ignore",
    )


def _rank(typical: Typical | None) -> str:
    """Where a span stands among all spans of its operation."""
    if typical is None:
        return ""
    return f"longer than {typical.rank:.0%} of {typical.spans:,}; the median is {format_duration(typical.median_ns)}"


def _table(values: dict[str, str | None]) -> None:
    frame = pd.DataFrame({"key": list(values), "value": [value or "" for value in values.values()]})
    st.dataframe(frame, hide_index=True, height="content")
