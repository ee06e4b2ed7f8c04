"""A place to drop dumps: they are sent to the upload route, which streams them to disk."""

from pathlib import Path

import streamlit as st

from overbudget.app.server.upload import HEADER, LARGEST, PATH

HERE = Path(__file__).parent


def upload(key: str) -> list[dict[str, object]]:
    """A place to drop files; returns those that arrived since the page was opened, as {"file", "name", "bytes"}."""
    mount = st.components.v2.component(
        "overbudget_upload",
        html="<div class='ob-upload'></div>",
        css=(HERE / "upload.css").read_text(),
        js=(HERE / "upload.js").read_text(),
    )
    data = {"path": PATH, "header": HEADER, "largest": LARGEST}
    result = mount(data=data, key=key, default={"arrived": []}, on_arrived_change=lambda: None)
    return list(result.get("arrived") or []) if result else []
