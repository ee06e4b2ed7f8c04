"""The server's workspace, and what belongs to one visitor's session: the budget of each dataset."""

import os
from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from overbudget.analysis.budget.file import edit_budget, parse_budget
from overbudget.analysis.budget.model import Budget
from overbudget.app.dashboard.wording import literal
from overbudget.app.server.workspace import Workspace
from overbudget.store.errors import OverbudgetError

WORKSPACE_VARIABLE = "OVERBUDGET_WORKSPACE"


def workspace() -> Workspace:
    """The workspace this server was started with."""
    return Workspace(Path(os.environ.get(WORKSPACE_VARIABLE, "workspace")))


def budget_text(dataset: str) -> str:
    """The budget file of this visitor for a dataset: their own, or the one that everybody begins with."""
    key = f"budget of {dataset}"
    if key not in st.session_state:
        try:
            st.session_state[key] = workspace().budget(dataset)
        except OverbudgetError as error:
            st.error(literal(str(error)))
            st.session_state[key] = ""
    return str(st.session_state[key])


def set_budget_text(dataset: str, text: str) -> None:
    """Keep a changed budget file; `undo_budget` restores the one before."""
    st.session_state.setdefault(f"budgets before {dataset}", []).append(budget_text(dataset))
    _replace(dataset, text)


def change_caps(dataset: str, changes: Mapping[tuple[str, ...], int | None]) -> None:
    """Write caps (`analysis.budget.file.edit_budget`) into the budget file. Errors: OverbudgetError for a budget that cannot be."""
    changed = edit_budget(budget_text(dataset), changes)
    parse_budget(changed, "budget")
    set_budget_text(dataset, changed)


def undo_budget(dataset: str) -> None:
    """Restore the budget file from before the last change."""
    before = st.session_state.get(f"budgets before {dataset}")
    if before:
        _replace(dataset, before.pop())


def _replace(dataset: str, text: str) -> None:
    st.session_state[f"budget of {dataset}"] = text
    st.session_state[f"edition of {dataset}"] = edition(dataset) + 1


def edition(dataset: str) -> int:
    """How often the budget was changed: part of its widgets' keys, so that none restores an older state."""
    return int(st.session_state.get(f"edition of {dataset}", 0))


def can_undo(dataset: str) -> bool:
    return bool(st.session_state.get(f"budgets before {dataset}"))


def editor_begins_open(dataset: str) -> bool:
    """Whether the budget editor is open at first: where there was no budget. It must not close while someone is typing."""
    return bool(st.session_state.setdefault(f"editor of {dataset}", not budget_text(dataset).strip()))


def budget_of(dataset: str) -> Budget | None:
    """The budget for a dataset. Where it has a mistake, the mistake is shown and the budget before it applies."""
    place = st.container()  # always there, so that what is below keeps its position, and with it whether it is open
    said, budget = "", None
    for text in (budget_text(dataset), *reversed(st.session_state.get(f"budgets before {dataset}", []))):
        try:
            budget = parse_budget(text, "budget") if text.strip() else None
        except OverbudgetError as error:
            said = said or str(error)
        else:
            break
    if said:
        until = "the budget before it applies" if budget else "there is no budget"
        place.error(literal(f"{said} Until this is fixed, {until}."))
    return budget


def budget_file(dataset: str) -> None:
    """The budget as a file: edit, undo, save, load."""
    text, key = budget_text(dataset), f"toml {dataset} {edition(dataset)}"
    st.text_area("Budget file (TOML)", text, height=220, key=key, on_change=_take_text, args=(dataset, key))
    st.button("Undo", disabled=not can_undo(dataset), key=f"undo {dataset}", on_click=undo_budget, args=(dataset,))
    st.download_button("Save budget.toml", text, "budget.toml", "application/toml", disabled=not text)
    key, load = f"load {dataset}", "Load a budget file"
    st.file_uploader(load, type=["toml"], key=key, max_upload_size=1, on_change=_take_file, args=(dataset, key))


def _take_text(dataset: str, key: str) -> None:
    set_budget_text(dataset, st.session_state[key])


def _take_file(dataset: str, key: str) -> None:
    if loaded := st.session_state[key]:
        set_budget_text(dataset, loaded.getvalue().decode("utf-8", "replace"))
