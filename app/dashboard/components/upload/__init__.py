"""A place to drop dumps: they are sent to the upload route, which streams them to disk."""

from pathlib import Path

import streamlit as st

from overbudget.app.dashboard.access import base_path
from overbudget.app.server.upload import HEADER, PATH
from overbudget.store.limits import as_written, limit

HERE = Path(__file__).parent


def upload(key: str) -> None:
    """A place to drop files. What has arrived is a job of the server's; the page is drawn again for each."""
    mount = st.components.v2.component(
        "overbudget_upload",
        html="<div class='ob-upload'></div>",
        css=(HERE / "upload.css").read_text(),
        js=(HERE / "upload.js").read_text(),
    )
    most = limit("upload_bytes")
    data = {"path": base_path() + PATH, "header": HEADER, "largest": most, "most": as_written("upload_bytes", most)}
    mount(data=data, key=key, default={"arrived": []}, on_arrived_change=lambda: None)
