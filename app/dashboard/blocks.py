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
from app.dashboard.state import budget_text, can_undo, set_budget_text, undo_budget
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
    """Caps as a grid and as a file; mistakes are shown with their line, and an undo."""
    text = budget_text(dataset)
    grid, file = st.tabs(["Caps", "Budget file"])
    with grid:
        st.caption("Write durations like 400ms, 1.5s or 250us; leave a cell empty for no cap.")
        caps = _caps(review)
        frame = pd.DataFrame(caps)
        edited = st.data_editor(frame, hide_index=True, disabled=["stage"], key=f"caps {dataset} {hash(text)}")
        _apply(dataset, text, frame, edited)
        if st.button("Undo", disabled=not can_undo(dataset), key=f"undo {dataset}"):
            undo_budget(dataset)
            st.rerun()
    with file:
        written = st.text_area("Budget file (TOML)", text, height=260, key=f"toml {dataset} {hash(text)}")
        if written != text:
            set_budget_text(dataset, written)
            st.rerun()
        st.download_button("Save budget.toml", text, "budget.toml", "application/toml", disabled=not text)
        loaded = st.file_uploader("Load a budget file", type=["toml"], key=f"load {dataset}", max_upload_size=1)
        if loaded is not None and st.session_state.get("loaded budget") != loaded.file_id:
            st.session_state["loaded budget"] = loaded.file_id
            set_budget_text(dataset, loaded.getvalue().decode("utf-8", "replace"))
            st.rerun()


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


def _apply(dataset: str, text: str, before: pd.DataFrame, after: pd.DataFrame) -> None:
    changes: dict[tuple[str, ...], int | None] = {}
    try:
        for row in range(len(before)):
            stage = before.iloc[row, 0]
            path = ("budget",) if stage == "whole request" else ("stages", str(stage))
            for column in before.columns[1:]:
                old, new = str(before.loc[row, column]), str(after.loc[row, column] or "")
                if old != new:
                    changes[(*path, str(column))] = parse_duration(new) if new.strip() else None
        if changes:
            set_budget_text(dataset, edit_budget(text, changes))
            st.rerun()
    except OverbudgetError as error:
        st.error(f"This cap {error}" if not str(error)[0].isupper() else str(error))
