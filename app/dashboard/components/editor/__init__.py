"""An SQL editor with syntax highlighting."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

HERE = Path(__file__).parent


def editor(text: str, key: str, label: str, on_written: Callable[[str], None]) -> None:
    """Edit `text`; `on_written` is called with the new text before the page is drawn again.

    The text is submitted by the button, by Ctrl+Enter, and when the editor loses focus.
    """
    mount = st.components.v2.component(
        "overbudget_editor",
        html="<div class='ob-editor'></div>",
        css=(HERE / "editor.css").read_text(),
        js=(HERE / "editor.js").read_text(),
    )

    def written() -> None:
        if (found := st.session_state[key].get("written")) is not None:
            on_written(found)

    mount(data={"text": text, "label": label}, key=key, height="content", on_written_change=written)
