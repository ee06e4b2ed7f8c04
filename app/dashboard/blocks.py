"""Parts of pages: results as HTML, with every name from the data escaped."""

from collections.abc import Iterable, Sequence
from html import escape

import plotly.graph_objects as go_figure
import streamlit as st

from overbudget.analysis.review.result import Review
from overbudget.app.charts.theme import stage_colour
from overbudget.app.dashboard.components.table import TableCell, table
from overbudget.app.dashboard.examples import choose
from overbudget.app.html.prose import prose
from overbudget.app.text.blocks import Cell
from overbudget.app.text.headline import also, headline
from overbudget.app.text.notes import notes, warned
from overbudget.app.text.objective import LAST, burn_cell, objective_sentences
from overbudget.app.text.review import good_sentences, good_text
from overbudget.app.text.tables import average_rows, call_lines, percentile_rows
from overbudget.stages.names import stage_order


def say_headline(review: Review) -> None:
    """The answer in two sentences, and what the reader must know before any figure."""
    first, *others = [*headline(review), *also(review), *warned(review)]
    rest = "".join(f'<p class="ob-why">{prose(sentence)}</p>' for sentence in others)
    st.html(f'<div data-ready="review"><p class="ob-head">{prose(first)}</p>{rest}</div>')


def say_good(review: Review) -> None:
    """How many answers are good, and how long they take against the others; nothing where none is judged."""
    if good := good_text(review):
        st.html("".join(f'<p class="ob-why">{prose(said)}</p>' for said in (good, *good_sentences(review))))


def say_rest(review: Review) -> None:
    """What stands below the figures: the objective, good answers, and notes."""
    say_objective(review)
    say_good(review)
    say_notes(review)


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
            TableCell(_with_interval(cell), cell.mark or "", f"{line.key or line.label}|{p}")
            for cell, p in zip(line.cells, review.percentiles, strict=True)
        ]
        caps = [TableCell(line.caps, "soft")] if capped else []
        rows.append([TableCell(line.label, "total" if number == 0 else ""), *caps, *cells])
    table(columns, rows, "percentiles", "Latency of the whole request and of each stage by percentile", choose)
    calls = call_lines(review)
    if calls:
        caption("Each model call")
        of_calls = [
            [TableCell(line.label), TableCell(line.caps, "soft"), *(table_cell(cell) for cell in line.cells)]
            for line in calls
        ]
        head = ["", "cap", *(f"p{p}" for p in review.percentiles)]
        table(head, of_calls, "calls", "Figures of each model call that have a cap")


def say_objective(review: Review) -> None:
    """What is spent of the error budget, and how fast; nothing without an objective."""
    if review.objective is None:
        return
    said = objective_sentences(review.objective, review.dataset.sampled is not None)
    st.html("".join(f'<p class="ob-why">{prose(sentence)}</p>' for sentence in said))
    caption("How fast the error budget is spent; 1: exactly as fast as the objective allows")
    rows = [
        [TableCell(LAST[one.window]), TableCell(f"{one.requests:,}"), table_cell(burn_cell(one))]
        for one in review.objective.burn
    ]
    table(["", "requests", "burn rate"], rows, "objective", "How fast the error budget is spent")


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


def table_cell(cell: Cell) -> TableCell:
    """A cell with its mark, and its interval below."""
    return TableCell(_with_interval(cell), cell.mark or "")


def _with_interval(cell: Cell) -> str:
    return f"{cell.text}\n{cell.interval}" if cell.interval else cell.text
