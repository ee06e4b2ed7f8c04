"""An SQL editor with syntax highlighting."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

HERE = Path(__file__).parent


def editor(text: str, key: str, label: str, on_written: Callable[[str], None], on_run: Callable[[str], None]) -> None:
    """Edit `text`; a callback is called with the new text before the page is drawn again: `on_written` when the editor
    loses focus, `on_run` by its button and by Ctrl+Enter, which somebody must press: nothing else runs a query.
    """
    mount = st.components.v2.component(
        "overbudget_editor",
        html="<div class='ob-editor'></div>",
        css=(HERE / "editor.css").read_text(),
        js=(HERE / "editor.js").read_text(),
    )

    def told(name: str, to: Callable[[str], None]) -> Callable[[], None]:
        def tell() -> None:
            if (found := st.session_state[key].get(name)) is not None:
                to(found)

        return tell

    mount(
        data={"text": text, "label": label},
        key=key,
        height="content",
        on_written_change=told("written", on_written),
        on_run_change=told("run", on_run),
    )
