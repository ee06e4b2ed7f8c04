"""What a visitor is looking at: dataset and route in the URL, the budget in the session."""

import os
from pathlib import Path

import streamlit as st

from analysis.budget import Budget, parse_budget
from app.workspace import Workspace, sample_of
from store.errors import OverbudgetError

WORKSPACE_VARIABLE = "OVERBUDGET_WORKSPACE"


def workspace() -> Workspace:
    """The workspace this server was started with."""
    return Workspace(Path(os.environ.get(WORKSPACE_VARIABLE, "workspace")))


def choose_dataset() -> str:
    """The dataset chosen in the side bar, kept in the URL; "" where there is none yet."""
    names = workspace().names()
    if not names:
        return ""
    asked = st.query_params.get("dataset")
    if asked is not None and asked not in names:
        st.warning(f"There is no dataset {asked!r} in this workspace; showing {names[0]} instead.")
    if st.session_state.get("dataset") not in names:
        st.session_state["dataset"] = asked if asked in names else names[0]
    chosen = st.sidebar.selectbox("Dataset", names, key="dataset", format_func=_label)
    st.query_params["dataset"] = chosen
    return str(chosen)


def _label(name: str) -> str:
    sample = sample_of(name)
    return f"Sample: {sample.title}" if sample else name


def choose_route(routes: list[str]) -> str | None:
    """The route chosen in the side bar, kept in the URL; None for all."""
    if len(routes) < 2:
        return None
    choices = ["All routes", *routes]
    asked = st.query_params.get("route")
    index = choices.index(asked) if asked in choices else 0
    chosen = st.sidebar.selectbox("Route", choices, index=index)
    if chosen == choices[0]:
        st.query_params.pop("route", None)
        return None
    st.query_params["route"] = chosen
    return chosen


def choose_trace() -> str:
    """The trace id written in the side bar, or that of the URL where that has changed; "" for none."""
    linked = st.query_params.get("trace", "")
    if linked != st.session_state.get("trace of the URL"):
        st.session_state["trace"] = linked
    return str(st.sidebar.text_input("Trace id, or how it begins", key="trace"))


def show_trace(trace_id: str) -> None:
    """Put the trace that is shown into the URL, so that the link shows it to others."""
    st.query_params["trace"] = trace_id
    st.session_state["trace of the URL"] = trace_id


def budget_text(dataset: str) -> str:
    """The budget file of this visitor for a dataset: their own, or the sample's."""
    sample = sample_of(dataset)
    return str(st.session_state.setdefault(f"budget of {dataset}", sample.budget if sample else ""))


def set_budget_text(dataset: str, text: str) -> None:
    """Take a changed budget file; the older one can be brought back with `undo_budget`."""
    st.session_state.setdefault(f"budgets before {dataset}", []).append(budget_text(dataset))
    _replace(dataset, text)


def undo_budget(dataset: str) -> None:
    """Bring the budget file before the last change back."""
    before = st.session_state.get(f"budgets before {dataset}")
    if before:
        _replace(dataset, before.pop())


def _replace(dataset: str, text: str) -> None:
    st.session_state[f"budget of {dataset}"] = text
    st.session_state[f"edition of {dataset}"] = edition(dataset) + 1


def edition(dataset: str) -> int:
    """How often the budget was changed: part of the keys of its widgets, so that none brings an older state back."""
    return int(st.session_state.get(f"edition of {dataset}", 0))


def can_undo(dataset: str) -> bool:
    return bool(st.session_state.get(f"budgets before {dataset}"))


def editor_begins_open(dataset: str) -> bool:
    """Whether the budget editor is open at first: where there was no budget. It must not close under the writer's hands."""
    return bool(st.session_state.setdefault(f"editor of {dataset}", not budget_text(dataset).strip()))


def budget_of(dataset: str) -> Budget | None:
    """The budget for a dataset; where it has mistakes they are shown, and there is none."""
    text = budget_text(dataset)
    if not text.strip():
        return None
    try:
        return parse_budget(text, "budget")
    except OverbudgetError as error:
        st.error(str(error))
        return None
