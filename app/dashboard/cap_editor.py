"""The grid in which caps are edited; the budget file keeps its comments."""

from typing import Any

import pandas as pd
import streamlit as st

from overbudget.analysis.budget.model import CALL_FIGURES
from overbudget.analysis.budget.parse import MODEL_STAGE
from overbudget.analysis.common.durations import duration_literal, parse_duration
from overbudget.analysis.review.result import Review
from overbudget.app.dashboard.state import can_undo, change_caps, edition, undo_budget
from overbudget.app.dashboard.wording import literal
from overbudget.stages.names import UNATTRIBUTED
from overbudget.store.errors import OverbudgetError

CALL_ROWS = {"call_first_token": "first token of each call", "call_per_output_token": "each output token of a call"}


def cap_editor(dataset: str, review: Review) -> None:
    """Caps as a grid, with mistakes shown. Callbacks take the changes before the page is drawn, so it is drawn once."""
    st.caption("Write durations like 400ms, 1.5s or 250us; leave a cell empty for no cap.")
    place = st.container()  # above the grid, where it is seen
    if mistake := st.session_state.pop("mistake in a cap", None):
        place.error(literal(mistake))
    caps, key = _caps(review), f"caps {dataset} {edition(dataset)}"
    change = {"on_change": _take_caps, "args": (dataset, caps, _places(review), key)}
    st.data_editor(pd.DataFrame(caps), hide_index=True, disabled=["stage"], key=key, **change)
    st.button("Undo", disabled=not can_undo(dataset), key=f"undo caps {dataset}", on_click=undo_budget, args=(dataset,))


def _places(review: Review) -> dict[str, tuple[str, ...]]:
    """Where in a budget file the caps of each row are: of the whole request, its first token, each stage and part that occurs,
    and of each model call of a stage or of a model that the budget names."""
    stages = list(dict.fromkeys(row.stage for row in review.stages if row.stage != UNATTRIBUTED))
    places: dict[str, tuple[str, ...]] = {"whole request": ("budget",), "first token": ("first_token",)}
    places |= {stage: ("stages", stage) for stage in stages}
    of_calls = [("stages", MODEL_STAGE)] if MODEL_STAGE in stages else []
    of_calls += [("models", model) for model in (review.budget or {}).get("models", {})]
    for section, name in of_calls:
        places |= {f"{name}, {CALL_ROWS[figure]}": (section, name, figure) for figure in CALL_FIGURES}
    return places


def _caps(review: Review) -> list[dict[str, str]]:
    """The caps as written in the budget, a row for each place."""
    rows = []
    for name, place in _places(review).items():
        given: Any = review.budget or {}
        for key in place:
            given = given.get(key, {})
        columns = [*(f"p{p}" for p in review.percentiles), "max"]
        rows.append({"stage": name, **{column: _written(given.get(column)) for column in columns}})
    return rows


def _written(cap: object) -> str:
    return duration_literal(cap) if isinstance(cap, int) else str(cap or "")


def _take_caps(dataset: str, caps: list[dict[str, str]], places: dict[str, tuple[str, ...]], key: str) -> None:
    """Write the cells that were edited into the budget file."""
    changes: dict[tuple[str, ...], int | None] = {}
    try:
        for row, cells in st.session_state[key]["edited_rows"].items():
            path = places[caps[int(row)]["stage"]]
            for column, cap in cells.items():
                changes[(*path, column)] = parse_duration(cap) if (cap or "").strip() else None
    except OverbudgetError as error:
        st.session_state["mistake in a cap"] = f"This cap {error}."
        return
    try:
        change_caps(dataset, changes)
    except OverbudgetError as error:
        st.session_state["mistake in a cap"] = f"This was not taken: {error}"
