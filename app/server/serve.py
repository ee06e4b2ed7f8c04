"""The dashboard's server: Streamlit as an ASGI application, with a route of our own for uploads."""

import os
import threading
from pathlib import Path

from overbudget.app.server.jobs import Job
from overbudget.app.server.upload import upload_route
from overbudget.app.server.workspace import Workspace, samples

WORKSPACE_VARIABLE = "OVERBUDGET_WORKSPACE"  # tells the pages, which run in this process, where the datasets are
MAIN = Path(__file__).parents[1] / "dashboard" / "main.py"

# Nothing leaves the machine, and nobody but this machine gets in.
CONFIG = {
    "server.address": "127.0.0.1",
    "server.headless": True,
    "server.fileWatcherType": "none",
    "browser.gatherUsageStats": False,
    "client.toolbarMode": "viewer",
    "client.showErrorDetails": "type",
    "client.showErrorLinks": False,
    "theme.light.primaryColor": "#2563a8",
    "theme.dark.primaryColor": "#6ea8e0",
}


def serve(workspace: Path, port: int = 8501) -> None:
    """Serve the dashboard on http://localhost:PORT until it is interrupted.

    The first sample is there before the first page is shown; the others are made meanwhile.
    """
    import streamlit as st

    place = Workspace(workspace.resolve())
    place.clean_up()
    os.environ[WORKSPACE_VARIABLE] = str(place.folder)
    missing = [(s.dump, place.folder / f"sample-{s.name}.duckdb") for s in samples()]
    missing = [(dump, dataset) for dump, dataset in missing if not dataset.exists()]
    if missing:
        print("Making the sample datasets …", flush=True)
        _make(missing[:1])
        threading.Thread(target=_make, args=(missing[1:],), daemon=True).start()
    print(f"overbudget is on http://localhost:{port}", flush=True)
    st.App(MAIN, routes=[upload_route(place)]).run(config={**CONFIG, "server.port": port})


def _make(missing: list[tuple[Path, Path]]) -> None:
    for dump, dataset in missing:
        job = Job(dataset.stem, dump, dataset, keep_dump=True).start()
        while job.running:
            threading.Event().wait(0.05)
