"""How predictable latency is, for a terminal."""

import sys
from collections.abc import Sequence
from typing import TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.consistency.consistency import Consistency, Model, Spread
from overbudget.app.text.review import PLAIN_WIDTH
from overbudget.app.text.words import count, quoted, stage_name

MOST_ROWS = 12
TOO_FEW = "too few"


def print_consistency(found: Consistency, file: TextIO | None = None) -> None:
    """Write it to `file` (standard output)."""
    file = file or sys.stdout
    console = Console(
        file=file, width=None if file.isatty() else PLAIN_WIDTH, highlight=False, markup=False, emoji=False
    )
    for number, sentence in enumerate(sentences(found)):
        console.print(Text(sentence, style="" if number else "bold"))
    if found.total is None:
        return
    _table(console, "Stages (time of the requests that have them)", (found.total, *found.stages))
    _table(console, "Models (latency of whole requests)", found.models)
    _models(console, found.models)
    _table(console, "Routes", found.routes if len(found.routes) > 1 else ())
    _table(console, "Hours (UTC)", found.hours if len(found.hours) > 1 else ())


def sentences(found: Consistency) -> list[str]:
    """How steady requests are, what spreads most, what has two modes, and how long good answers take."""
    total = found.total
    if total is None:
        return ["There are no complete requests to look at."]
    if total.p95_over_p50 is None:
        said = [
            f"{count(total.requests, 'request')} {'is' if total.requests == 1 else 'are'} too few to tell how latency spreads (p95 needs 72)."
        ]
    else:
        said = [f"p95 is {total.p95_over_p50:.1f} times the median ({format_duration(total.p50_ns)})."]
    if total.windows_over_budget:
        said[0] += (
            f" It is over its cap of {format_duration(total.budget_ns)} in {total.windows_over_budget} of {total.windows} windows of time."
        )
    known = [(one.p95_ns - one.p50_ns, one) for one in found.stages if one.p95_ns is not None]
    if known:
        spread = max(known, key=lambda pair: pair[0])[1]
        times = f"{format_duration(spread.p95_ns)} at p95 against {format_duration(spread.p50_ns)} at the median"
        said.append(f"Of the stages {stage_name(spread.name)} spreads most: {times}.")
    for what, those in (("stage", found.stages), ("model", found.models), ("whole request", (total,))):
        said += [f"{_modes(what, one)}." for one in those if one.bimodal is not None][:2]
    if len(found.models) > 1:
        steady = min(found.models, key=lambda model: model.p95_over_p50 or float("inf"))
        if steady.p95_over_p50 is not None:
            said.append(
                f"The steadiest model is {quoted(steady.name)}: p95 is {steady.p95_over_p50:.1f} times its median."
            )
    talks = found.conversations
    if talks is not None:
        took = f" The first good answer takes {format_duration(talks.p50_ns)} at the median" if talks.p50_ns else ""
        asks = f" and {talks.asks:.1f} asks on average." if took and talks.asks else ""
        said.append(f"{talks.reached:,} of {count(talks.conversations, 'conversation')} got a good answer.{took}{asks}")
    return said


def _modes(what: str, one: Spread) -> str:
    modes = one.bimodal
    assert modes is not None
    name = "The whole request" if what == "whole request" else f"The {what} {quoted(one.name)}"
    tops = f"around {format_duration(modes.fast_ns)} and around {format_duration(modes.slow_ns)}"
    return f"{name} has two modes, {tops} ({modes.slow_share:.0%} of the requests)"


def share_text(share: float | None) -> str:
    """A share as a percentage; a dash where it is not known."""
    return "–" if share is None else f"{share:.1%}"


def _table(console: Console, heading: str, found: Sequence[Spread]) -> None:
    if not found:
        return
    good = any(one.good is not None for one in found)
    capped = any(one.budget_ns is not None for one in found)
    columns = ["", "requests", "p50", "p95", "p99", "p95/p50"]
    columns += ["p95 cap", "within it", "windows over it"] * capped + ["good"] * good
    _begin(console, heading)
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    for one in found[:MOST_ROWS]:
        ratio = f"{one.p95_over_p50:,.2f}" if one.p95_over_p50 is not None else "–"
        times = [format_duration(ns) if ns is not None else TOO_FEW for ns in (one.p50_ns, one.p95_ns, one.p99_ns)]
        windows = f"{one.windows_over_budget} of {one.windows}" if one.windows else "–"
        within = [format_duration(one.budget_ns), share_text(one.within_budget), windows] if capped else []
        table.add_row(
            quoted(one.name)[1:-1],
            f"{one.requests:,}",
            *times,
            ratio,
            *within,
            *([share_text(one.good)] if good else []),
        )
    console.print(table)
    if len(found) > MOST_ROWS:
        console.print(Text(f"and {len(found) - MOST_ROWS:,} more", style="dim"))


def _models(console: Console, models: Sequence[Model]) -> None:
    if not models:
        return
    _begin(console, "Models (their answers alone; means per request)")
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    columns = (
        "",
        "p50",
        "p95",
        "p95/p50",
        "first token p50",
        "p95",
        "per token",
        "tokens in",
        "out",
        "cost",
        "good within p95 cap",
    )
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    for one in models[:MOST_ROWS]:
        slow = format_duration(one.inference_p95_ns) if one.inference_p95_ns is not None else TOO_FEW
        ratio = f"{one.inference_p95_over_p50:.2f}" if one.inference_p95_over_p50 is not None else "–"
        tokens = [f"{n:,.0f}" if n is not None else "–" for n in (one.input_tokens, one.output_tokens)]
        cost = f"{one.cost:.5f}" if one.cost is not None else "–"
        shown = quoted(one.name)[1:-1], format_duration(one.inference_p50_ns), slow, ratio
        streamed = (one.ttft_p50_ns, one.ttft_p95_ns, one.time_per_output_token_p50_ns)
        first = [format_duration(ns) if ns is not None else "–" for ns in streamed]
        table.add_row(*shown, *first, *tokens, cost, share_text(one.good_within_budget))
    console.print(table)


def _begin(console: Console, heading: str) -> None:
    console.print()
    console.print(Text(heading, style="dim"))
