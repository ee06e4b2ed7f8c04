"""The review for a terminal; plain text where the output is not one."""

import io
import sys
from typing import TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from overbudget.analysis.budget.caps import USUAL
from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.review.result import Review
from overbudget.app.text.headline import headline
from overbudget.app.text.notes import notes
from overbudget.app.text.tables import (
    MADE_OF,
    TOTALS,
    Cell,
    Line,
    average_lines,
    breakdown_lines,
    culprit_lines,
    percentile_lines,
    route_lines,
)
from overbudget.app.text.words import count

STYLES = {"over": "bold white on red", "at_risk": "black on yellow", "unknown": "dim"}
PLAIN_WIDTH = 120


def print_review(review: Review, file: TextIO | None = None) -> None:
    """Write the review to `file` (standard output): with colours and to the width of a terminal, else plainly."""
    file = file or sys.stdout
    width = None if file.isatty() else PLAIN_WIDTH
    _print(review, Console(file=file, width=width, highlight=False, markup=False, emoji=False))


def review_text(review: Review, width: int = PLAIN_WIDTH) -> str:
    """The review as plain text."""
    file = io.StringIO()
    console = Console(file=file, width=width, highlight=False, markup=False, emoji=False, color_system=None)
    _print(review, console)
    return "".join(line.rstrip() + "\n" for line in file.getvalue().splitlines())


def _print(review: Review, console: Console) -> None:
    first, second = headline(review)
    console.print(Text(first, style="bold"))
    console.print(Text(second))
    if review.end_to_end and review.end_to_end[0].n:
        percentiles = [f"p{p}" for p in review.percentiles]
        _section(console, "Latency of the whole request and of each stage", percentile_lines(review), percentiles)
        _section(console, "What the requests are made of on average", average_lines(review), ["time", "share"])
        _section(console, MADE_OF, breakdown_lines(review), percentiles)
        columns = ["stage", "overrun", "blame", "operation"]
        _section(console, "Where the overrun comes from", culprit_lines(review), columns, left=("stage", "operation"))
        routes = route_lines(review)
        _section(console, "Routes", routes, ["requests", *percentiles])
        more = len(review.routes) + review.other_routes - len(routes)
        if routes and more:
            console.print(Text(f"and {count(more, 'route')} more", style="dim"))
    console.print()
    good = good_text(review)
    for note in [*([good] if good else []), *notes(review), facts_text(review)]:
        console.print(Text(note, style="dim"))


def good_text(review: Review) -> str | None:
    """How many answers were good, and good in time; None where nothing is recorded."""
    good = review.good
    if good is None:
        return None
    if good.good is None:
        tell = "which of them are good, [good] score = { at_least = 0.7 } in the budget would tell"
        return f"{count(good.requests_scored, 'answer')} scored; {tell}."
    share = good.good / good.requests_scored
    text = f"{good.good:,} of {count(good.requests_scored, 'scored answer')} good ({share:.0%})"
    if good.good_within_budget is None:
        return f"{text}."
    within = f"{good.good_within_budget / good.requests_scored:.0%}"
    limit = f" of {format_duration(good.budget_ns)}" if good.budget_ns is not None else ""
    return f"{text}; {good.good_within_budget:,} good and within the p{USUAL} cap{limit} ({within})."


def facts_text(review: Review) -> str:
    """What the review is about: requests, spans, time."""
    facts = review.dataset
    chosen = review.selected["requests"]
    requests = count(chosen, "request")
    if chosen + review.selected["incomplete_left_out"] != facts.requests:
        requests = f"{requests} of {facts.requests:,}"
    if facts.start is None or facts.end is None:
        return f"{requests}."
    span = f"{facts.start[:19].replace('T', ' ')} to {facts.end[:19].replace('T', ' ')} UTC"
    return f"{requests}, {count(facts.spans, 'span')}, {span}."


def _section(
    console: Console,
    title: str,
    lines: list[Line],
    columns: list[str],
    left: tuple[str, ...] = (),
) -> None:
    if not lines:
        return
    console.print()
    console.print(Text(title, style="dim"))
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("")
    capped = any(line.caps for line in lines)
    if capped:
        table.add_column("cap", justify="right", style="dim")
    for column in columns:
        table.add_column(column, justify="left" if column in left else "right", no_wrap=column not in left)
    for line in lines:
        label = Text(line.label, style="bold" if line.label in TOTALS else "")
        caps = [Text(line.caps.replace(", ", "\n"))] if capped else []
        table.add_row(label, *caps, *(_cell(cell) for cell in line.cells))
    console.print(table)


def _cell(cell: Cell) -> Text:
    return Text(cell.text, style=STYLES.get(cell.verdict or "", ""))
