"""The tables of a review as text cells, for every form of the answer: terminal, Markdown, page."""

from collections.abc import Sequence
from dataclasses import dataclass

from overbudget.analysis.budget.model import CallKind
from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.review.result import (
    OTHER_SERVICES,
    Review,
    much_unattributed,
    service_times,
)
from overbudget.analysis.review.rows import FIRST_TOKEN, TOTAL, CallRow, FirstTokenRow, PercentileRow, StageRow
from overbudget.app.text.blocks import Block, Cell, Column, Table
from overbudget.app.text.marks import MARKS
from overbudget.app.text.words import PART_WORDS, operation_name, quoted

MADE_OF = "What the requests around each percentile are made of (their mean, not the percentile itself)"
MEAN = "mean latency"
TOTALS = ("whole request", MEAN)
TOO_FEW = "too few"
NO_SPANS = "no spans"
NOT_RECORDED = "not recorded"
CALL_WORDS = {"call_first_token": "first token", "call_per_output_token": "per output token"}
OVER = {"cap": "over its cap", "typical": "over typical requests", "largest": "of it: the largest part"}
STREAMING = {
    "waiting_ns": "waiting for the first token",
    "writing_ns": "writing",
    "untold_ns": "no first token recorded",
}


@dataclass(frozen=True)
class Row:
    """One row of a table: what it is about, its caps as text, its cells from left to right."""

    label: str
    caps: str
    cells: tuple[Cell, ...]
    key: str = ""  # what a click on a cell chooses, where that is not the label


def rows_table(
    title: str,
    lines: Sequence[Row],
    columns: Sequence[str | Column],
    about: str = "",
    folded: bool = False,
    more: str = "",
) -> list[Block]:
    """Lines as a table, with a column of caps where any is given; nothing where there are no lines."""
    if not lines:
        return []
    capped = any(line.caps for line in lines)
    kinds = [column if isinstance(column, Column) else Column(column) for column in columns]
    rows = [
        (Cell(line.label, "strong" if line.label in TOTALS else None), *([Cell(line.caps)] * capped), *line.cells)
        for line in lines
    ]
    head = (Column(about, "name"), *([Column("cap", "caps")] * capped), *kinds)
    return [Table(title, head, tuple(rows), more, folded)]


def percentile_rows(review: Review) -> list[Row]:
    """The whole request and each stage against their caps, a cell per percentile; empty where none is known."""
    if all(cell.text == TOO_FEW for cell in cells(review.end_to_end)):
        return []
    limit = {row.stage: row.limit_ns for row in review.limits if row.route is None}
    total = caps_text(review.end_to_end, limit.get(TOTAL))
    lines = [Row("whole request", total, cells(review.end_to_end), TOTAL)]
    if review.first_token:
        first = caps_text(review.first_token, limit.get(FIRST_TOKEN))
        lines.append(Row("first token", first, _told_cells(review.first_token), FIRST_TOKEN))
    for stage, rows in _by_stage(review.stages):
        if rows[0].part_of is not None:
            part = PART_WORDS[stage.removeprefix(f"{rows[0].part_of}.")]
            lines.append(Row(f"└ {part}", caps_text(rows, limit.get(stage)), _told_cells(rows), rows[0].part_of))
            continue
        # a stage without any span may still take time: nothing is known of it
        values = (
            tuple(Cell(NO_SPANS, row.verdict) for row in rows) if stage in review.unmatched["stages"] else cells(rows)
        )
        lines.append(Row(stage, caps_text(rows, limit.get(stage)), values))
    return lines


def _told_cells(rows: Sequence[FirstTokenRow] | Sequence[StageRow] | Sequence[CallRow]) -> tuple[Cell, ...]:
    """A cell per percentile of a figure that not all record."""
    if not rows[0].n:
        return tuple(Cell(NOT_RECORDED, row.verdict) for row in rows)
    return cells(rows)


def call_lines(review: Review) -> list[Row]:
    """The figures of each model call that the budget caps."""
    found: dict[tuple[CallKind, str, str], list[CallRow]] = {}
    for row in review.calls:
        found.setdefault((row.kind, row.of, row.figure), []).append(row)
    limit = {(row.kind, row.of, row.figure): row.limit_ns for row in review.call_limits}
    names = {key: f"{key[1] if key[0] == 'stage' else quoted(key[1])[1:-1]}: {CALL_WORDS[key[2]]}" for key in found}
    return [Row(names[key], caps_text(rows, limit.get(key)), _told_cells(rows)) for key, rows in found.items()]


def breakdown_rows(review: Review) -> list[Row]:
    """Stage by stage what the requests nearest to each percentile are made of, and their mean latency below; empty where
    unknown at all. Where stages explain little, service by service."""
    if not any(made_of.stages for made_of in review.breakdown):
        return []
    if much_unattributed(review) is not None:
        return [*_service_rows(review), _means_row(review)]
    stages = [stage.stage for stage in next(made_of for made_of in review.breakdown if made_of.stages).stages]
    lines = []
    for place, stage in enumerate(stages):
        found = []
        for made_of in review.breakdown:
            if made_of.stages:
                part = made_of.stages[place]
                found.append(Cell(f"{format_duration(part.mean_ns)} {part.share:4.0%}"))
            else:
                found.append(Cell(TOO_FEW))
        if any(made_of.stages and made_of.stages[place].mean_ns for made_of in review.breakdown):
            lines.append(Row(stage, "", tuple(found)))
            lines += _streaming_rows(review) if stage == "inference" else []
    return [*lines, _means_row(review)]


def _means_row(review: Review) -> Row:
    whole = [
        Cell(TOO_FEW if made_of.band_latency_ns is None else f"{format_duration(made_of.band_latency_ns)} 100%")
        for made_of in review.breakdown
    ]
    return Row(MEAN, "", tuple(whole))


def _service_rows(review: Review) -> list[Row]:
    """A line for each of the services with most time, and one for the others together."""
    lines = []
    for name, times in service_times(review.breakdown):
        found = [
            Cell(f"{format_duration(ns)} {ns / (made_of.band_latency_ns or 1):4.0%}" if made_of.stages else TOO_FEW)
            for made_of, ns in zip(review.breakdown, times, strict=True)
        ]
        lines.append(Row(name if name == OTHER_SERVICES else quoted(name), "", tuple(found)))
    return lines


def _streaming_rows(review: Review) -> list[Row]:
    """What inference is made of, where times to the first token are recorded."""
    if not any(made_of.streaming for made_of in review.breakdown):
        return []
    lines = []
    for part, label in STREAMING.items():
        ns = [getattr(made_of.streaming, part) if made_of.streaming else None for made_of in review.breakdown]
        if any(ns):
            lines.append(
                Row(f"  {label}", "", tuple(Cell(format_duration(one) if one is not None else "–") for one in ns))
            )
    return lines


def average_rows(review: Review) -> list[Row]:
    """What the requests are made of on average, where they are too few for any percentile."""
    if review.overall is None or percentile_rows(review):
        return []
    lines = [
        Row(stage["stage"], "", (Cell(format_duration(stage["mean_ns"])), Cell(f"{stage['share']:.0%}")))
        for stage in review.overall.stages
    ]
    return [*lines, Row(MEAN, "", (Cell(format_duration(review.overall.latency_ns)), Cell("100%")))]


def culprit_rows(review: Review) -> list[Row]:
    """Per percentile with a culprit: the stage, by how much it overran what, its share of the blame, the operation."""
    lines = []
    for made_of in review.breakdown:
        culprit = made_of.culprit
        if culprit is not None:
            operation = operation_name(culprit.operation) if culprit.operation else "–"
            what = f"{format_duration(culprit.overrun_ns)} {OVER[culprit.basis]}"
            found = (Cell(culprit.stage), Cell(what), Cell(f"{culprit.blame:.0%}"), Cell(operation))
            lines.append(Row(f"p{made_of.percentile}", "", found))
    return lines


def route_rows(review: Review, most: int = 10) -> list[Row]:
    """The latency of the `most` busiest routes and of those the budget names, busiest first."""
    return [
        Row(quoted(route.route), caps_text(route.end_to_end), (Cell(f"{route.requests:,}"), *cells(route.end_to_end)))
        for place, route in enumerate(review.routes)
        if place < most or route.stages or any(row.verdict for row in route.end_to_end)
    ]


def cells(rows: Sequence[PercentileRow]) -> tuple[Cell, ...]:
    """A cell per percentile; where the value is unknown, the cell says so."""
    return tuple(Cell(_value(row), row.verdict, interval_text(row)) for row in rows)


def _value(row: PercentileRow) -> str:
    alike = row.independence == "unknown"
    if row.needs is not None and row.verdict == "over" and not row.failed and not alike:
        return f"{MARKS['over']}≥ {format_duration(row.ci_low_ns)}"
    if row.needs is None or (row.independence in ("assumed", "unknown") and row.reached):
        return MARKS.get(row.verdict, "") + ("≥ " if row.at_least else "") + format_duration(row.latency_ns)
    return TOO_FEW


def interval_text(row: PercentileRow) -> str:
    """The percentile's interval: `2.01 – 2.43 s`, the unit once where both ends share it."""
    assumed = row.independence == "assumed" and row.reached
    if (row.needs is not None and not assumed) or row.ci_low_ns is None or row.ci_high_ns is None:
        return ""
    low, high = format_duration(row.ci_low_ns), format_duration(row.ci_high_ns)
    if low == high:
        return ""
    same_unit = low.count(" ") == high.count(" ") == 1 and low.split(" ")[1] == high.split(" ")[1]
    said = f"{low.split(' ')[0] if same_unit else low} – {high}"
    return f"{said}, if independent" if assumed else said


def caps_text(rows: Sequence[PercentileRow], limit_ns: int | None = None) -> str:
    """The caps as given: `500 ms p50, 2.00 s p95, 3.00 s max`; each at the highest percentile it applies to."""
    caps: dict[int, int] = {row.budget_ns: row.percentile for row in rows if row.budget_ns not in (None, limit_ns)}
    said = [f"{format_duration(cap)} p{percentile}" for cap, percentile in caps.items()]
    return ", ".join([*said, f"{format_duration(limit_ns)} max"] if limit_ns is not None else said)


def _by_stage(rows: Sequence[StageRow]) -> list[tuple[str, list[StageRow]]]:
    found: dict[str, list[StageRow]] = {}
    for row in rows:
        found.setdefault(row.stage, []).append(row)
    return list(found.items())
