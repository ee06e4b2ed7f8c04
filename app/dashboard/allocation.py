"""Limits for every stage from one total: the panel beside the caps."""

from typing import NamedTuple

import streamlit as st

from overbudget.analysis.allocate.allocate import KEEP_THEIR_TIME, Allocation, allocate, budget_changes
from overbudget.analysis.allocate.total import total_of
from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.common.durations import duration_literal, parse_duration
from overbudget.analysis.common.percentiles import PERCENTILES
from overbudget.app.dashboard import blocks, cache
from overbudget.app.dashboard.components.table import TableCell, table
from overbudget.app.dashboard.state import budget_text, change_caps
from overbudget.app.dashboard.view import View
from overbudget.app.dashboard.wording import literal
from overbudget.app.html.prose import prose
from overbudget.app.text.allocate import columns, limit_rows, notes, sentences
from overbudget.stages.names import stage_order
from overbudget.store.errors import OverbudgetError


class _Asked(NamedTuple):
    percentile: int
    cap_ns: int
    fixed: tuple[str, ...]


def panel(view: View) -> None:
    """Ask for a total, show limits and what they would cut, and put them into the budget."""
    blocks.caption("One total, a hard limit for every stage: all requests are replayed with them")
    asked = _question(view)
    if asked is None:
        return
    try:
        with st.spinner("Replaying every request …"):
            found = cache.ask("allocate", view, lambda: allocate(cache.workbench(view), *asked), *asked, capped=False)
    except OverbudgetError as error:
        st.error(literal(str(error)))
        return
    _answer(view, found)


def _question(view: View) -> _Asked | None:
    """The total as the visitor writes it; None until it is asked."""
    place = view.table.stages
    stages = [stage for stage in stage_order(place) if view.table.stage_ns[:, place.index(stage)].any()]
    key = f"allocate {view.dataset}"
    with st.form(key, border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        percentile = st.selectbox("At", PERCENTILES, PERCENTILES.index(95), format_func=lambda p: f"p{p}", width=90)
        total = st.text_input("Whole request", _usual_total(view), placeholder="2s", width=130)
        fixed = st.multiselect(
            "Stages that keep their time", [stage for stage in stages if stage not in KEEP_THEIR_TIME], width=330
        )
        if st.form_submit_button("Make limits"):
            st.session_state[f"{key} asked"] = (percentile, total, tuple(fixed))
    written = st.session_state.get(f"{key} asked")
    if written is None:
        return None
    try:
        return _Asked(written[0], parse_duration(written[1]), written[2])
    except OverbudgetError as error:
        st.error(literal(f"The total {error}."))
        return None


def _usual_total(view: View) -> str:
    try:
        return duration_literal(total_of(view.budget, view.table.routes).cap_ns)
    except OverbudgetError:
        return ""


def _answer(view: View, found: Allocation) -> None:
    st.html("".join(f'<p class="ob-why">{prose(sentence)}</p>' for sentence in sentences(found)))
    rows = [[TableCell(cell) for cell in row] for row in limit_rows(found)]
    table(["", *columns(found)], rows, "allocation", "A limit for each stage, and what it would cut today")
    st.html("".join(f'<p class="ob-note">{prose(note)}</p>' for note in notes(found)))
    if found.feasible:
        routes = view.filters.route
        route = routes if isinstance(routes, str) else None
        st.button(
            f"Put these limits into the budget{f' of {literal(route)}' if route else ''}",
            key=f"put limits {view.dataset}",
            on_click=_put,
            args=(view.dataset, found, route),
        )


def _put(dataset: str, found: Allocation, route: str | None) -> None:
    try:
        change_caps(dataset, budget_changes(found, parse_budget(budget_text(dataset)), route))
    except OverbudgetError as error:
        st.session_state["mistake in a cap"] = f"This was not taken: {error}"
