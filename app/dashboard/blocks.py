"""Parts of pages: results as HTML, with every name from the data escaped."""

from collections.abc import Iterable, Sequence
from html import escape

import pandas as pd
import plotly.graph_objects as go_figure
import streamlit as st

from overbudget.analysis.budget.file import edit_budget, parse_budget
from overbudget.analysis.common.durations import duration_literal, parse_duration
from overbudget.analysis.review.result import TOTAL, Review
from overbudget.app.charts.theme import stage_colour
from overbudget.app.dashboard.components.table import TableCell, table
from overbudget.app.dashboard.examples import choose
from overbudget.app.dashboard.state import budget_text, can_undo, edition, set_budget_text, undo_budget
from overbudget.app.dashboard.wording import literal
from overbudget.app.html.prose import prose
from overbudget.app.text.blocks import Cell
from overbudget.app.text.headline import headline
from overbudget.app.text.notes import notes, warned
from overbudget.app.text.tables import average_rows, percentile_rows
from overbudget.stages.names import stage_order
from overbudget.store.errors import OverbudgetError


def say_headline(review: Review) -> None:
    """The answer in two sentences, and what the reader must know before any figure."""
    first, *others = [*headline(review), *warned(review)]
    rest = "".join(f'<p class="ob-why">{prose(sentence)}</p>' for sentence in others)
    st.html(f'<div data-ready="review"><p class="ob-head">{prose(first)}</p>{rest}</div>')


def say_notes(review: Review) -> None:
    """What else the reader must know; nothing where there is nothing."""
    if found := notes(review):
        st.html("".join(f'<p class="ob-note">{prose(note)}</p>' for note in found))


def say(sentences: Sequence[str], ready: str) -> None:
    """A page's findings in words: the first sentence large. `ready` tells tests that the page is drawn."""
    first, *others = sentences
    rest = "".join(f'<p class="ob-why">{prose(sentence)}</p>' for sentence in others)
    st.html(f'<div data-ready="{escape(ready)}"><p class="ob-head">{prose(first)}</p>{rest}</div>')


def chart(figure: go_figure.Figure, key: str, alt: str) -> None:
    """A figure without Plotly's toolbar; `alt` says in words what it shows."""
    st.plotly_chart(figure, config={"displayModeBar": False}, key=key, alt=alt)


def stage_key(stages: Iterable[str]) -> None:
    """Which colour is which stage, in the order in which they are drawn."""
    colour_key((stage, stage_colour(stage)) for stage in stage_order(set(stages)))


def colour_key(named: Iterable[tuple[str, str]]) -> None:
    """Which colour is what."""
    swatch = '<span><i style="background:{}"></i>{}</span>'
    entries = "".join(swatch.format(colour, escape(name)) for name, colour in named)
    st.html(f'<p class="ob-key">{entries}</p>')


def caption(text: str) -> None:
    st.html(f'<p class="ob-caption">{escape(text)}</p>')


def percentile_table(review: Review) -> None:
    """Stage × percentile; over and at risk by colour and sign. A click on a cell shows its requests."""
    lines = percentile_rows(review)
    if not lines:
        _averages(review)
        return
    capped = any(line.caps for line in lines)
    columns = ["", *(["cap"] if capped else []), *(f"p{p}" for p in review.percentiles)]
    rows = []
    for number, line in enumerate(lines):
        cells = [
            TableCell(_with_interval(cell), cell.mark or "", f"{TOTAL if number == 0 else line.label}|{p}")
            for cell, p in zip(line.cells, review.percentiles, strict=True)
        ]
        caps = [TableCell(line.caps, "soft")] if capped else []
        rows.append([TableCell(line.label, "total" if number == 0 else ""), *caps, *cells])
    table(columns, rows, "percentiles", "Latency of the whole request and of each stage by percentile", choose)


def _averages(review: Review) -> None:
    """Where no percentile can be given: what the requests are made of on average, or what to do where there are none."""
    lines = average_rows(review)
    if not lines:
        st.info(
            "Clear the filters in the side bar or choose another dataset; Trace health says what keeps requests from being complete."
        )
        return
    caption("Too few requests for any percentile; on average they are made of this. A longer dump tells more.")
    rows = [
        [TableCell(line.label, "total" if line is lines[-1] else ""), *(TableCell(cell.text) for cell in line.cells)]
        for line in lines
    ]
    table(["", "time", "share"], rows, "averages", "What the requests are made of on average")


def _with_interval(cell: Cell) -> str:
    return f"{cell.text}\n{cell.interval}" if cell.interval else cell.text


def cap_editor(dataset: str, review: Review) -> None:
    """Caps as a grid, with mistakes shown. Callbacks take the changes before the page is drawn, so it is drawn once."""
    text = budget_text(dataset)
    st.caption("Write durations like 400ms, 1.5s or 250us; leave a cell empty for no cap.")
    place = st.container()  # above the grid, where it is seen
    if mistake := st.session_state.pop("mistake in a cap", None):
        place.error(literal(mistake))
    caps, key = _caps(review), f"caps {dataset} {edition(dataset)}"
    change = {"on_change": _take_caps, "args": (dataset, text, caps, key)}
    st.data_editor(pd.DataFrame(caps), hide_index=True, disabled=["stage"], key=key, **change)
    st.button("Undo", disabled=not can_undo(dataset), key=f"undo caps {dataset}", on_click=undo_budget, args=(dataset,))


def _caps(review: Review) -> list[dict[str, str]]:
    """The caps as written in the budget: a row for the whole request and one for each stage that occurs."""
    budget = review.budget or {}
    stages = list(dict.fromkeys(row.stage for row in review.stages if row.stage != "unattributed"))
    given = [("whole request", budget.get("budget", {}))] + [
        (stage, budget.get("stages", {}).get(stage, {})) for stage in stages
    ]
    return [
        {"stage": name, **{f"p{p}": _written(caps.get(f"p{p}")) for p in review.percentiles}} for name, caps in given
    ]


def _written(cap: object) -> str:
    return duration_literal(cap) if isinstance(cap, int) else str(cap or "")


def _take_caps(dataset: str, text: str, caps: list[dict[str, str]], key: str) -> None:
    """Write the cells that were edited into the budget file."""
    changes: dict[tuple[str, ...], int | None] = {}
    try:
        for row, cells in st.session_state[key]["edited_rows"].items():
            stage = caps[int(row)]["stage"]
            path = ("budget",) if stage == "whole request" else ("stages", stage)
            for column, cap in cells.items():
                changes[(*path, column)] = parse_duration(cap) if (cap or "").strip() else None
    except OverbudgetError as error:
        st.session_state["mistake in a cap"] = f"This cap {error}."
        return
    try:
        changed = edit_budget(text, changes)
        parse_budget(changed, "budget")
        set_budget_text(dataset, changed)
    except OverbudgetError as error:
        st.session_state["mistake in a cap"] = f"This was not taken: {error}"
