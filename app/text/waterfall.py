"""A trace as a waterfall of characters: `#` where a span is on the critical path, `=` where it runs while the path is elsewhere."""

from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.trace.result import Trace, TraceSpan
from overbudget.app.text.words import clean, count, stage_name

MOST_ROWS = 200


def waterfall(trace: Trace, width: int = 100, every: bool = False) -> str:
    """The trace as text of at most `width` columns.

    Of a large trace only spans on a critical path, failed ones and the longest are shown, and how many are hidden.
    """
    shown, hidden = _choose(trace, every)
    label_width = min(max((2 * span.depth + len(_name(span)) for span in shown), default=10), max(24, width * 2 // 5))
    bar_width = max(20, width - label_width - 26)
    start, total = trace.start_ns, max(1, trace.end_ns - trace.start_ns)
    segments: dict[str, list[tuple[int, int]]] = {}
    hops: dict[str, str] = {}
    for request in trace.requests:
        for segment in request.critical_path:
            segments.setdefault(segment.span_id, []).append((segment.start_ns, segment.end_ns))
            if segment.hop_to:
                hops[segment.span_id] = segment.hop_to
    meanwhile = trace.meanwhile_ns
    title, *requests = heading(trace)
    lines = [title, *(f"{line}; # is its critical path" if line.startswith("request") else line for line in requests)]
    lines.append("")
    for span in shown:
        label = _cut("  " * min(span.depth, 12) + _name(span), label_width).ljust(label_width)
        bar = _bar(span, segments.get(span.span_id, []), start, total, bar_width)
        duration = format_duration(span.end_ns - span.start_ns) if span.ended else "no end"
        marks = [span.stage if span.stage != "unattributed" else "-"]
        marks += ["ERROR"] if span.status_code == "ERROR" else []
        marks += ["orphan"] if span.orphan else []
        marks += [f"→ {clean(hops[span.span_id])}"] if span.span_id in hops else []
        if span.span_id in meanwhile:
            marks.append(f"({format_duration(meanwhile[span.span_id])} of the request passed while it ran)")
        lines.append(f"{label} {bar} {duration:>8} {' '.join(marks)}".rstrip())
    if hidden:
        lines.append(f"{count(hidden, 'more span')} not shown; --all shows them.")
    return "\n".join(lines)


def heading(trace: Trace) -> list[str]:
    """The trace, and each of its requests: how long they take."""
    lines = [
        f"trace {trace.trace_id}: {count(len(trace.spans), 'span')}, {format_duration(max(1, trace.end_ns - trace.start_ns))}"
    ]
    for request in trace.requests:
        note = "" if request.complete else " (incomplete)"
        note += f", {format_duration(request.user_ns)} of it waiting for a person" if request.user_ns else ""
        lines.append(f"request {clean(request.route)}: {format_duration(request.duration_ns)}{note}")
        parts = [f"{format_duration(ns)} {stage_name(part)}" for part, ns in request.parts.items()]
        if request.first_token_ns is not None:
            parts.insert(0, f"first token after {format_duration(request.first_token_ns)}")
        lines += [f"  {', '.join(parts)}"] if parts else []
    return lines


def _name(span: TraceSpan) -> str:
    return f"{clean(span.service_name)}: {clean(span.name)}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _choose(trace: Trace, every: bool) -> tuple[list[TraceSpan], int]:
    if every or len(trace.spans) <= MOST_ROWS:
        return trace.spans, 0
    ranked = sorted(
        trace.spans, key=lambda s: (s.parent >= 0, s.status_code != "ERROR", -s.critical_ns, s.start_ns - s.end_ns)
    )
    kept = {span.span_id for span in ranked[:MOST_ROWS]}
    shown = [span for span in trace.spans if span.span_id in kept]
    return shown, len(trace.spans) - len(shown)


def _bar(span: TraceSpan, critical: list[tuple[int, int]], start: int, total: int, width: int) -> str:
    def column(ns: int) -> int:
        return min(width - 1, (ns - start) * width // total)

    cells = ["."] * width
    for i in range(column(span.start_ns), column(max(span.start_ns, span.end_ns - 1)) + 1):
        cells[i] = "="
    for low, high in critical:
        for i in range(column(low), column(max(low, high - 1)) + 1):
            cells[i] = "#"
    return "".join(cells).replace(".", " ")
