"""Pictures for a report that needs no script: bars and waterfalls as SVG. Every text is escaped."""

from collections.abc import Iterator, Sequence
from html import escape

from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.review.result import Review
from overbudget.analysis.trace.result import Trace, TraceSpan
from overbudget.app.charts.parts import parts_of
from overbudget.app.charts.theme import BUDGET, stage_colour
from overbudget.app.text.tables import MADE_OF
from overbudget.app.text.words import clean

WIDTH = 960
LABELS = 300
ROW = 20
MOST_SPANS = 60
DARK = {stage_colour(stage) for stage in ("inference", "retrieval", "database", "queue")}  # white words on these


def breakdown_svg(review: Review) -> str:
    """What the requests nearest to each percentile are made of: stacked bars, the cap of each as a red line."""
    known = [made_of for made_of in review.breakdown if made_of.stages]
    if not known:
        return ""
    caps = [review.row(made_of.percentile).budget_ns for made_of in known]
    widest = max([made_of.band_latency_ns or 0 for made_of in known] + [cap or 0 for cap in caps])
    scale = (WIDTH - 170) / max(widest, 1)
    drawn, at = [], [50.0] * len(known)
    for name, _, fill, times in parts_of(review):
        for row, ns in enumerate(times):
            width = ns * scale
            if width <= 0:
                continue
            drawn.append(
                f'<rect x="{at[row]:.1f}" y="{row * 38 + 4}" width="{max(width - 1, 0.5):.1f}" height="26" fill="{fill}">'
                f"<title>{escape(name)}: {escape(format_duration(ns))}</title></rect>"
            )
            if width > 8 * len(name):
                ink = "#fff" if fill in DARK else "#222"
                drawn.append(f'<text x="{at[row] + 6:.1f}" y="{row * 38 + 21}" fill="{ink}">{escape(name)}</text>')
            at[row] += width
    for row, (made_of, cap) in enumerate(zip(known, caps, strict=True)):
        drawn.append(f'<text x="42" y="{row * 38 + 21}" text-anchor="end">p{made_of.percentile}</text>')
        total = f"mean {format_duration(made_of.band_latency_ns)}"
        line = 50 + (cap or 0) * scale
        left = line if at[row] <= line < at[row] + 60 else at[row]  # so that the text does not cross the cap's line
        drawn.append(f'<text x="{left + 6:.1f}" y="{row * 38 + 21}">{escape(total)}</text>')
        if cap:
            x = 50 + cap * scale
            drawn.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{row * 38}" y2="{row * 38 + 34}" stroke="{BUDGET}" stroke-width="2" stroke-dasharray="3 3"/>'
            )
    return _svg(len(known) * 38, drawn, MADE_OF)


def waterfall_svg(trace: Trace) -> str:
    """The spans of a trace, its critical path as a dark line; of a large trace, those with the most time on the path."""
    rows = _shown(trace)
    start, length = trace.start_ns, max(1, trace.end_ns - trace.start_ns)
    scale = (WIDTH - LABELS - 70) / length
    drawn = []
    for row, span in enumerate(rows):
        y = row * ROW
        indent = min(span.depth, 10) * 9
        label = clean(f"{span.service_name}: {span.name}")
        room = int((LABELS - indent) / 6.4)
        shown = label if len(label) <= room else f"{label[: room - 1]}…"
        colour = BUDGET if span.status_code == "ERROR" else "currentColor"
        drawn.append(f'<text x="{indent}" y="{y + 14}" fill="{colour}">{escape(shown)}</text>')
        x, width = LABELS + (span.start_ns - start) * scale, max(1.0, (span.end_ns - span.start_ns) * scale)
        tooltip = f"{label}: {format_duration(span.end_ns - span.start_ns)}, {span.stage}"
        drawn.append(
            f'<rect x="{x:.1f}" y="{y + 4}" width="{width:.1f}" height="10" fill="{stage_colour(span.stage)}"><title>{escape(tooltip)}</title></rect>'
        )
        drawn.append(
            f'<text x="{x + width + 5:.1f}" y="{y + 14}" class="soft">{escape(format_duration(span.end_ns - span.start_ns))}</text>'
        )
    place = {span.span_id: row for row, span in enumerate(rows)}
    for segment in (segment for request in trace.requests for segment in request.critical_path):
        if segment.span_id in place:
            x, width = (
                LABELS + (segment.start_ns - start) * scale,
                max(0.8, (segment.end_ns - segment.start_ns) * scale),
            )
            drawn.append(
                f'<rect x="{x:.1f}" y="{place[segment.span_id] * ROW + 14}" width="{width:.1f}" height="3" fill="currentColor"/>'
            )
    return _svg(len(rows) * ROW + 4, drawn, f"Waterfall of trace {trace.trace_id}")


def _shown(trace: Trace) -> list[TraceSpan]:
    if len(trace.spans) <= MOST_SPANS:
        return list(trace.spans)
    ranked = sorted(range(len(trace.spans)), key=lambda row: (-trace.spans[row].critical_ns, row))[:MOST_SPANS]
    return [trace.spans[row] for row in sorted(ranked)]


def _svg(height: int, drawn: Sequence[str] | Iterator[str], title: str) -> str:
    body = "".join(drawn)
    return f'<div class="scroll" tabindex="0"><svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}"><title>{escape(title)}</title>{body}</svg></div>'
