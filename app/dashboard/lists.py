"""Results as tables of a page: the tail, advice, trace health."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import streamlit as st

from overbudget.analysis.advice.advice import Advice
from overbudget.analysis.common.durations import format_change, format_duration
from overbudget.analysis.health.audit import Audit
from overbudget.analysis.health.problem import Problem
from overbudget.analysis.tail.tail import Tail
from overbudget.analysis.whatif.changes import Change
from overbudget.analysis.whatif.whatif import WhatIf
from overbudget.app.dashboard.components.table import TableCell, table
from overbudget.app.dashboard.sidebar import go, kept, to_url
from overbudget.app.dashboard.wording import literal
from overbudget.app.text.advice import effect_text, title
from overbudget.app.text.tail import LEAST_SHARE, MOST_ROWS, attribute_text, operation_text
from overbudget.app.text.whatif import within_text

MOST_ATTRIBUTES = 25
Found = TypeVar("Found")


def slow_operations(found: Tail) -> None:
    """Operations by their share of the excess; a click chooses one."""
    rows = [
        [
            TableCell(operation_text(one).replace("`", ""), "wide", str(place)),
            TableCell(one.stage),
            *(TableCell(format_duration(ns)) for ns in (one.slow_mean_ns, one.typical_mean_ns, one.excess_ns)),
            TableCell(f"{one.share_of_excess:.0%}", bar=one.share_of_excess),
        ]
        for place, one in enumerate(found.operations)
        if one.share_of_excess >= LEAST_SHARE
    ]
    columns = ["operation", "stage", "slow", "typical", "excess", "share"]
    label = "Operations by their share of the excess"
    table(columns, rows[:MOST_ROWS], "slow operations", label, _choosing("operation"), left=2)


def slow_attributes(found: Tail) -> None:
    """Attributes that slow requests have more often; a click chooses one."""
    rows = [
        [
            TableCell(attribute_text(one).replace("`", ""), "wide", str(place)),
            TableCell(f"{one.slow_share:.0%}", bar=one.slow_share),
            TableCell(f"{one.typical_share:.0%}", bar=one.typical_share),
            TableCell(f"{one.lift:,.1f} ×" if one.lift else "only slow"),
            TableCell(f"{one.requests:,}"),
        ]
        for place, one in enumerate(found.attributes[:MOST_ATTRIBUTES])
    ]
    columns = ["attribute", "of the slow", "of the typical", "as often", "requests"]
    table(columns, rows, "slow attributes", "Attributes that slow requests have more often", _choosing("attribute"))
    if len(found.attributes) > MOST_ATTRIBUTES:
        st.caption(f"and {len(found.attributes) - MOST_ATTRIBUTES:,} more: overbudget tail --json lists all")


def _choosing(name: str) -> Callable[[str], None]:
    def choose(choice: str) -> None:
        st.session_state[name] = choice

    return choose


def chosen(name: str, among: Sequence[Found]) -> Found:
    """The selected operation or attribute: the chosen one, kept in the URL, or the strongest."""
    asked = kept(name) or "0"
    place = int(asked) if asked.isdecimal() and len(asked) < 5 and int(asked) < len(among) else 0
    to_url(name, place or None)
    return among[place]


def advice(found: Sequence[Advice]) -> list[Change]:
    """Show the advice, each with its effect at every percentile and its evidence; return the ticked changes."""
    changes: list[Change] = []
    for number, one in enumerate(found):
        with st.container(border=False, key=f"advice-{number}"):
            label = f"**{literal(title(one).replace('`', ''))}**"
            if not one.changes:
                st.markdown(label)
            elif st.checkbox(label, key=f"try {one.command}"):
                changes += one.changes
            st.caption(literal(effect_text(one)))
            rows = [
                [TableCell(label), *(TableCell(format_duration(getattr(e, which))) for e in one.effect)]
                for label, which in (("before", "before_ns"), ("after", "after_ns"))
            ]
            if one.effect:
                columns = ["", *(f"p{e.percentile}" for e in one.effect)]
                table(columns, rows, f"effect {number}", f"Effect of: {title(one)}")
            with st.expander("Evidence"):
                for sign, reasons in (("+", one.evidence), ("−", one.against)):
                    for reason in reasons:
                        st.text(f"{sign} {reason}")
    return changes


def before_after(found: WhatIf) -> None:
    """Percentiles before and after, and the share of requests within the cap at p95."""
    rows = []
    for (percentile, before), (_, after) in zip(found.before, found.after, strict=True):
        times = format_duration(before), format_duration(after), format_change((after or 0) - (before or 0))
        rows.append([TableCell(f"p{percentile}"), *map(TableCell, times)])
    if found.within is not None:
        before_share, after_share = found.within
        points = f"{100 * (after_share - before_share):+.1f} points".replace("-", "−")
        shares = f"{before_share:.1%}", f"{after_share:.1%}", points
        rows.append([TableCell(within_text(found)), *map(TableCell, shares)])
    table(["", "before", "after", "change"], rows, "before after table", "Percentiles before and after the change")


def problems(found: Audit) -> None:
    """Every problem with what it means and what to do; its example opens the waterfall."""
    for problem in found.problems:
        st.markdown(f"##### {literal(problem.code.replace('_', ' ').capitalize())}: {problem.count:,}")
        st.text(problem.means)
        st.text(f"What to do: {problem.remedy}".replace("`", ""))
        if problem.rule:
            st.code(problem.rule, language="toml")
        if problem.services:
            st.caption(f"Services: {literal(', '.join(problem.services))}")
        if trace_id := _trace_of(problem):
            st.button("Open an example", key=f"example {problem.code}", on_click=_open_example, args=(trace_id,))


def _trace_of(problem: Problem) -> str:
    words = problem.example.replace(",", " ").split()
    return words[words.index("trace") + 1] if "trace" in words[:-1] else ""


def _open_example(trace_id: str) -> None:
    go("waterfall", trace=trace_id)
