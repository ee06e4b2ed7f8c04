"""A comparison for a terminal."""

import sys
from collections.abc import Sequence
from typing import TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.compare.compare import Comparison, PercentileChange
from overbudget.app.text.review import PLAIN_WIDTH
from overbudget.app.text.words import count, quoted

MOST_ROWS = 8
MARKS = {"slower": "▲ ", "faster": "▼ ", "same": "", "unknown": ""}
STYLES = {"slower": "bold white on red", "faster": "green", "unknown": "dim"}
USUAL = 95


def print_comparison(found: Comparison, file: TextIO | None = None) -> None:
    """Write a comparison to `file` (standard output)."""
    file = file or sys.stdout
    console = Console(
        file=file, width=None if file.isatty() else PLAIN_WIDTH, highlight=False, markup=False, emoji=False
    )
    for number, sentence in enumerate(sentences(found)):
        console.print(Text(sentence, style="" if number else "bold"))
    _changes(console, found)
    _growth(console, found)
    console.print()
    for note in _notes(found):
        console.print(Text(note, style="dim"))


def sentences(found: Comparison) -> list[str]:
    """What changed, and who makes the change."""
    told = [change for change in found.end_to_end if change.verdict == found.verdict]
    if found.base["requests"] and found.base["only_here"] == found.base["requests"]:
        return [
            "The two sides have no kind of request in common.",
            "Requests are compared with those of the same route and shape; choose sides that serve the same routes.",
        ]
    if found.verdict == "unknown":
        return ["There are too few requests to tell whether anything changed."]
    if found.verdict == "same":
        at = f" up to p{told[-1].percentile}" if told[-1].percentile < found.end_to_end[-1].percentile else ""
        first = f"The candidate is as fast as the base{at}, as far as the data can tell."
    else:
        change = next((one for one in reversed(told) if one.percentile <= USUAL), told[-1])
        moved = format_duration(abs(change.change_ns or 0))
        first = (
            f"The candidate is {found.verdict}: p{change.percentile} is {moved} "
            f"{'longer' if found.verdict == 'slower' else 'shorter'} "
            f"({format_duration(change.base_ns or 0)} before, {format_duration(change.candidate_ns or 0)} now)."
        )
    guilty = found.services[0] if found.services else None
    if found.verdict == "faster" or guilty is None or guilty.sure_ns <= 0:
        return [first]
    return [
        first,
        f"{quoted(guilty.service_name)} grew most: {format_duration(round(guilty.change_ns))} a request, "
        f"at least {format_duration(round(guilty.sure_ns))} of it for certain, hops to it included.",
    ]


def _changes(console: Console, found: Comparison) -> None:
    table = _table(console, "PercentileChange at each percentile, with its 95 % interval")
    table.add_column("")
    for change in found.end_to_end:
        table.add_column(f"p{change.percentile}", justify="right", no_wrap=True)
    stages = list(dict.fromkeys(change.stage for change in found.stages))
    rows = [("whole request", found.end_to_end)] + [
        (stage, tuple(change for change in found.stages if change.stage == stage)) for stage in stages
    ]
    for label, changes in rows:
        table.add_row(Text(label, style="bold" if label == "whole request" else ""), *map(_cell, changes))
    console.print(table)


def _cell(change: PercentileChange) -> Text:
    if change.change_ns is None or change.ci_low_ns is None or change.ci_high_ns is None:
        return Text("too few", style="dim")
    text = f"{MARKS[change.verdict]}{_signed(change.change_ns)}"
    interval = f"{_signed(change.ci_low_ns)} … {_signed(change.ci_high_ns)}"
    return Text.assemble((text, STYLES.get(change.verdict, "")), "\n", (interval, "dim"))


def _signed(ns: float) -> str:
    return ("+" if ns > 0 else "−" if ns < 0 else "") + format_duration(abs(round(ns)))


def _growth(console: Console, found: Comparison) -> None:
    slower = [one for one in found.services if one.change_ns > 0][:MOST_ROWS]
    if slower:
        table = _table(console, "Services that take more time a request: own time, and the hops charged to them")
        for column in ("service", "before", "now", "change", "for certain"):
            table.add_column(column, justify="left" if column == "service" else "right")
        for one in slower:
            sure = format_duration(round(one.sure_ns)) if one.sure_ns > 0 else "–"
            table.add_row(one.service_name, *_means(one.base_mean_ns, one.candidate_mean_ns, one.change_ns), sure)
        console.print(table)
    grown = [one for one in found.operations if one.change_ns > 0][:MOST_ROWS]
    if grown:
        table = _table(console, "Operations that take more time a request")
        for column in ("operation", "before", "now", "change"):
            table.add_column(column, justify="left" if column == "operation" else "right")
        for operation in grown:
            waiting = f", waiting for {operation.hop_to}" if operation.hop_to else ""
            new = " (new)" if operation.only_in else ""
            means = _means(operation.base_mean_ns, operation.candidate_mean_ns, operation.change_ns)
            table.add_row(f"{operation.service_name}: {quoted(operation.name)}{waiting}{new}", *means)
        console.print(table)


def _means(base: float, candidate: float, change: float) -> Sequence[str]:
    return format_duration(round(base)), format_duration(round(candidate)), _signed(change)


def _table(console: Console, title: str) -> Table:
    console.print()
    console.print(Text(title, style="dim"))
    return Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)


def _notes(found: Comparison) -> list[str]:
    said = []
    for name, side in (("base", found.base), ("candidate", found.candidate)):
        said.append(f"{count(side['requests'], 'request')} in the {name}.")
        if side["only_here"]:
            said.append(
                f"{count(side['only_here'], 'request')} of a route or shape that only the {name} has, left out."
            )
        if side["incomplete_left_out"]:
            said.append(f"{count(side['incomplete_left_out'], 'incomplete request')} of the {name} left out.")
    return [" ".join(said)]
