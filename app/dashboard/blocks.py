"""Parts of pages: results as HTML, with every name from the data escaped."""

import re
from collections.abc import Sequence
from html import escape

import pandas as pd
import streamlit as st

from analysis.behind import RequestInfo
from analysis.budget import edit_budget
from analysis.durations import duration_literal, format_duration, parse_duration
from analysis.requests import iso
from analysis.review_result import Review
from app.dashboard.state import budget_text, can_undo, edition, set_budget_text, undo_budget
from app.report.tables import Line, percentile_lines
from app.report.words import headline, notes
from store.errors import OverbudgetError


def say_headline(review: Review) -> None:
    """The answer in two sentences, and what else must be known."""
    first, second = headline(review)
    st.html(
        f'<div data-ready="review"><p class="ob-head">{_prose(first)}</p><p class="ob-why">{_prose(second)}</p></div>'
    )


def say_notes(review: Review) -> None:
    """What else the reader must know; nothing where there is nothing."""
    if found := notes(review):
        st.html("".join(f'<p class="ob-note">{_prose(note)}</p>' for note in found))


def _prose(text: str) -> str:
    """A sentence as HTML: all of it escaped, names between backticks as code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text))


def caption(text: str) -> None:
    st.html(f'<p class="ob-caption">{escape(text)}</p>')


def percentile_table(review: Review) -> None:
    """Stage × percentile; over and at risk by colour and sign."""
    lines = percentile_lines(review)
    if not lines:
        st.info(
            "There are too few requests for any percentile. The slowest are listed below; a longer dump tells more."
        )
        return
    columns = [f"p{p}" for p in review.percentiles]
    st.html(f'<div class="ob-scroll">{_table(lines, columns)}</div>')


def _table(lines: Sequence[Line], columns: Sequence[str]) -> str:
    capped = any(line.caps for line in lines)
    head = '<th class="caps">cap</th>' if capped else ""
    head += "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = ""
    for number, line in enumerate(lines):
        caps = f'<td class="caps">{escape(line.caps)}</td>' if capped else ""
        cells = "".join(f'<td class="{cell.verdict or ""}">{escape(cell.text)}</td>' for cell in line.cells)
        body += f'<tr class="{"total" if number == 0 else ""}"><td>{escape(line.label)}</td>{caps}{cells}</tr>'
    return f'<table class="ob"><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>'


def request_table(found: Sequence[RequestInfo], key: str) -> RequestInfo | None:
    """Requests to choose from; the one that was chosen."""
    rows = [
        {
            "latency": format_duration(one.latency_ns),
            "started (UTC)": iso(one.start_ns)[:19].replace("T", " "),
            "route": one.route,
            "largest stage": _largest(one),
            "model": one.model or "",
            "status": one.status_code,
            "trace": one.trace_id,
        }
        for one in found
    ]
    chosen = st.dataframe(pd.DataFrame(rows), hide_index=True, on_select="rerun", selection_mode="single-row", key=key)
    places = chosen["selection"]["rows"]
    return found[places[0]] if places else None


def _largest(one: RequestInfo) -> str:
    if not one.stages:
        return ""
    stage, ns = max(one.stages.items(), key=lambda item: item[1])
    return f"{stage} {format_duration(ns)}"


def budget_editor(dataset: str, review: Review) -> None:
    """Caps as a grid and as a file; mistakes are shown with their line, and an undo.

    Changes are taken by callbacks, before the page is drawn: it is drawn once.
    """
    text = budget_text(dataset)
    grid, file = st.tabs(["Caps", "Budget file"])
    with grid:
        st.caption("Write durations like 400ms, 1.5s or 250us; leave a cell empty for no cap.")
        caps, key = _caps(review), f"caps {dataset} {edition(dataset)}"
        change = {"on_change": _take_caps, "args": (dataset, text, caps, key)}
        st.data_editor(pd.DataFrame(caps), hide_index=True, disabled=["stage"], key=key, **change)
        if mistake := st.session_state.pop("mistake in a cap", None):
            st.error(mistake)
        st.button("Undo", disabled=not can_undo(dataset), key=f"undo {dataset}", on_click=undo_budget, args=(dataset,))
    with file:
        key = f"toml {dataset} {edition(dataset)}"
        st.text_area("Budget file (TOML)", text, height=260, key=key, on_change=_take_text, args=(dataset, key))
        st.download_button("Save budget.toml", text, "budget.toml", "application/toml", disabled=not text)
        key, load = f"load {dataset}", "Load a budget file"
        st.file_uploader(load, type=["toml"], key=key, max_upload_size=1, on_change=_take_file, args=(dataset, key))


def _take_text(dataset: str, key: str) -> None:
    set_budget_text(dataset, st.session_state[key])


def _take_file(dataset: str, key: str) -> None:
    if loaded := st.session_state[key]:
        set_budget_text(dataset, loaded.getvalue().decode("utf-8", "replace"))


def _caps(review: Review) -> list[dict[str, str]]:
    """The caps as they are written, a row for the whole request and one for each stage that occurs."""
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
        set_budget_text(dataset, edit_budget(text, changes))
    except OverbudgetError as error:
        said = str(error)
        st.session_state["mistake in a cap"] = said if said[0].isupper() else f"This cap {said}"
