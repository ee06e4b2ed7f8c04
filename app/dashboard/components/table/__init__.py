"""A table whose cells can be chosen by mouse or keyboard; "over" is shown by colour and sign."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

HERE = Path(__file__).parent


@dataclass(frozen=True)
class TableCell:
    """A cell: its text, its look ("over", "at_risk", "unknown", "soft"), the choice that a click makes ("": none),
    and a share from 0 to 1, drawn as a bar in its background."""

    text: str
    look: str = ""
    choice: str = ""
    bar: float = 0.0


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[TableCell]],
    key: str,
    label: str,
    on_choice: Callable[[str], None] | None = None,
    left: int = 1,
) -> None:
    """Draw a table; screen readers announce it as `label`. The first `left` columns hold text, the others numbers.

    `on_choice` is called with the choice of a cell before the page is drawn again. Every text is set as text, never as HTML.
    """
    mount = st.components.v2.component(
        "overbudget_table",
        html="<div class='ob-scroll'></div>",
        css=(HERE / "table.css").read_text(),
        js=(HERE / "table.js").read_text(),
    )

    def chosen() -> None:
        choice = st.session_state[key].get("choice")
        if choice and on_choice is not None:
            on_choice(choice)

    data = {
        "columns": list(columns),
        "left": left,
        "label": label,
        "rows": [
            [[cell.text, cell.look, cell.choice if on_choice else "", min(1.0, cell.bar)] for cell in row]
            for row in rows
        ],
    }
    mount(data=data, key=key, height="content", on_choice_change=chosen)
