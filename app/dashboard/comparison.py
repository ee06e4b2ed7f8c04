"""Choosing two sides to compare, and what changed between them as tables."""

from typing import Any

import plotly.graph_objects as go
import streamlit as st

from overbudget.analysis.causes.causes import aggregated
from overbudget.analysis.common.durations import format_change, format_duration
from overbudget.analysis.compare.compare import Comparison, Side
from overbudget.analysis.compare.percentile_change import PercentileChange
from overbudget.analysis.requests.table import Filters, RequestTable
from overbudget.app.charts.aggregated_path import aggregated_path_figure
from overbudget.app.dashboard import cache, state
from overbudget.app.dashboard.components.table import TableCell, table
from overbudget.app.dashboard.sidebar import kept, label, to_url
from overbudget.app.dashboard.view import View
from overbudget.app.text.marks import CHANGE_MARKS

WHOLE = "the whole dataset"
KINDS = ("route", "model", "service", "status", "version", "environment")
MOST_ROWS = 12
LOOKS = {"slower": "over", "unknown": "unknown"}


def sides(view: View) -> tuple[tuple[str, Filters], tuple[str, Filters], str]:
    """Base and candidate, each a dataset and filters, both in the URL; and the other dataset where there are two."""
    names = state.workspace().names()
    columns = st.columns(2)
    with columns[0]:
        base = _side("Base", "base", names, view.dataset, view)
    with columns[1]:
        candidate = _side("Candidate", "candidate", names, _another(names, view.dataset), view)
    other = next((name for name, _ in (base, candidate) if name != view.dataset), "")
    return base, candidate, other


def side(view: View, dataset: str, filters: Filters) -> Side:
    """One side, its requests by the rules of the budget."""
    return Side(cache.connection(dataset), filters, cache.evidence(dataset, view.budget).requests)


def _another(names: list[str], dataset: str) -> str:
    return next((name for name in names if name != dataset), dataset)


def _side(title: str, key: str, names: list[str], default: str, view: View) -> tuple[str, Filters]:
    asked = kept(key)
    st.session_state[key] = asked if asked in names else default
    dataset = st.selectbox(title, names, format_func=label, key=key, persist_state="session")
    to_url(key, dataset)
    parts, part = _parts(cache.evidence(dataset, view.budget).requests), f"{key}_part"
    asked = kept(part)
    st.session_state[part] = asked if asked in parts else None
    chosen = st.selectbox(
        f"Part of the {title.lower()}", list(parts), None, key=part, persist_state="session", placeholder=WHOLE,
        label_visibility="collapsed",
    )  # fmt: skip
    to_url(part, chosen)
    return dataset, parts[chosen] if chosen else Filters()


def _parts(table: RequestTable) -> dict[str, Filters]:
    """The parts a dataset can be split into: one for each value of a field that has several."""
    found: dict[str, Filters] = {}
    for kind in KINDS:
        names = getattr(table, kind).names
        if len(names) > 1:
            found.update({f"{kind} = {name}": Filters(**{kind: name}) for name in sorted(names)})
    return found


def changes(found: Comparison) -> None:
    """Stage × percentile: the change, its interval, slower ones by colour and sign."""
    percentiles = [change.percentile for change in found.end_to_end]
    by_stage: dict[str, list[PercentileChange]] = {"whole request": list(found.end_to_end)}
    for change in found.stages:
        by_stage.setdefault(change.stage, []).append(change)
    rows = [
        [TableCell(stage, "total" if number == 0 else ""), *(_cell(change) for change in those)]
        for number, (stage, those) in enumerate(by_stage.items())
    ]
    table(["", *(f"p{p}" for p in percentiles)], rows, "changes", "Change of each stage at each percentile")


def _cell(change: PercentileChange) -> TableCell:
    if change.change_ns is None:
        return TableCell("–", "unknown")
    if not change.deciding:
        return TableCell(format_change(change.change_ns), "unknown")
    if change.ci_low_ns is None or change.ci_high_ns is None:
        return TableCell(f"{format_change(change.change_ns)}\ninterval unknown", "unknown")
    interval = f"{format_change(change.ci_low_ns)} to {format_change(change.ci_high_ns)}"
    return TableCell(
        f"{CHANGE_MARKS.get(change.verdict, '')}{format_change(change.change_ns)}\n{interval}",
        LOOKS.get(change.verdict, ""),
    )


def services(found: Comparison) -> None:
    """Services in order of growth, and how much of it is certain."""
    rows = [
        [
            TableCell(one.service_name, "wide"),
            *_means(one),
            TableCell("–" if one.certain_ns is None else format_duration(one.certain_ns)),
        ]
        for one in found.services[:MOST_ROWS]
    ]
    table(["service", "before", "now", "change", "for certain"], rows, "services", "Services by their growth")


def operations(found: Comparison) -> None:
    """Operations by their growth; time waiting for another service has rows of its own."""
    rows = []
    for one in found.operations[:MOST_ROWS]:
        hop = f" → {one.hop_to}" if one.hop_to else ""
        new = f" (only in the {one.only_in})" if one.only_in else ""
        rows.append(
            [
                TableCell(f"{one.service_name}: {one.name}{hop}{new}", "wide"),
                *_means(one),
                TableCell(one.why.sentence, "wide"),
            ]
        )
    table(["operation", "before", "now", "change", "why"], rows, "operations", "Operations by their growth")


def _means(one: Any) -> list[TableCell]:
    times = (
        format_duration(round(one.base_mean_ns)),
        format_duration(round(one.candidate_mean_ns)),
        format_change(one.change_ns),
    )
    return list(map(TableCell, times))


def path_figure(view: View, side: tuple[str, Filters], name: str) -> go.Figure:
    """Where the time of one side goes: stage, service, operation."""
    dataset, filters = side

    def found() -> go.Figure:
        parts = aggregated(cache.connection(dataset), cache.selected(dataset, view.budget, filters))
        return aggregated_path_figure(parts, name)

    return cache.ask("aggregated path", view, found, side, name, also=dataset, capped=False)
