"""The dashboard's server: Streamlit as an ASGI application, with a route of our own for uploads."""

import errno
import os
import socket
import tempfile
import threading
from pathlib import Path

from overbudget.app.extras import needs
from overbudget.app.server.access.settings import Access
from overbudget.app.server.jobs import jobs_of, start_ingest
from overbudget.app.server.listing import listing_of
from overbudget.app.server.workspace import Workspace, samples
from overbudget.store.dataset import is_readable, sweep_folder
from overbudget.store.errors import OverbudgetError
from overbudget.store.lock import holder, try_lock

WORKSPACE_VARIABLE = "OVERBUDGET_WORKSPACE"  # tells the pages, which run in this process, where the datasets are
SERVER_LOCK = ".server.lock"  # in the workspace, held by the server that came first
MAIN = Path(__file__).parents[1] / "dashboard" / "main.py"

# Nothing leaves the machine, and only this machine can connect.
CONFIG = {
    "server.address": "127.0.0.1",
    "server.headless": True,
    "server.fileWatcherType": "none",
    "server.maxUploadSize": 1,  # MB: a budget file, kept in memory; dumps come by a route of their own, to the disk
    "browser.gatherUsageStats": False,
    "runner.postScriptGC": False,  # a full collection after every answer: more than half of what many visitors waited for
    "client.toolbarMode": "viewer",
    "client.showErrorDetails": "type",
    "client.showErrorLinks": False,
    "theme.light.primaryColor": "#2563a8",
    "theme.dark.primaryColor": "#6ea8e0",
}


def serve(
    workspace: Path, settings: Access | None = None, budget: Path | None = None, no_content: bool = False
) -> None:
    """Serve the dashboard until it is interrupted, as `settings` say: else to this machine alone, on port 8501.

    Of every dump that is sent is left out what the [redact] of `budget` says, and with `no_content` what people and models said.

    The first sample is ready before the first page is shown; the others, and those made by an older version, are made
    in the background.
    """
    settings = settings or Access()
    require_free(settings.port, settings.host)
    with needs("streamlit", "dashboard", "overbudget serve"):
        import streamlit as st
        from starlette.middleware import Middleware

        from overbudget.app.server.access.gate import Gate
        from overbudget.app.server.upload import upload_route

    place = Workspace(workspace.resolve())
    alone = _claimed(place.folder)
    sweep_folder(place.folder)
    jobs = jobs_of(place.folder)
    jobs.options = redacting(budget, no_content)
    jobs.recover()
    os.environ[WORKSPACE_VARIABLE] = str(place.folder)
    missing = [(s.dump, place.folder / f"sample-{s.name}.duckdb") for s in samples()]
    missing = [(dump, dataset) for dump, dataset in missing if not is_readable(dataset)]
    if missing and alone is not None:
        print("Making the sample datasets …", flush=True)
        _make(missing[:1])
        threading.Thread(target=_make, args=(missing[1:],), daemon=True).start()
    threading.Thread(target=_make_ready, args=(place.folder,), daemon=True).start()
    print(f"overbudget is on {_address(settings)}", flush=True)
    os.environ["FORWARDED_ALLOW_IPS"] = ""  # uvicorn would believe anybody on this machine who says to be another
    st.App(MAIN, routes=[upload_route(jobs, settings.base)], middleware=[Middleware(Gate, settings=settings)]).run(
        config={
            **CONFIG,
            "server.address": settings.host,
            "server.port": settings.port,
            "server.baseUrlPath": settings.base.strip("/"),
            **({"server.corsAllowedOrigins": list(settings.origins)} if settings.origins else {}),
        }
    )


def _make_ready(folder: Path) -> None:
    """While the first visitor may come already: what all pages need, and what stands in the list of datasets."""
    from overbudget.app.server.settled import settle

    settle()
    listing_of(folder).fill()


def _claimed(folder: Path) -> int | None:
    """The lock of the workspace, held until this process ends; None where it cannot be had, which is said."""
    try:
        alone = try_lock(folder / SERVER_LOCK)
    except OSError as error:
        why = error.strerror or str(error)
        print(
            f"{folder} cannot be written ({why}): its datasets are shown; none is added, renamed or deleted.",
            flush=True,
        )
        return None
    if alone is None:
        who = holder(folder / SERVER_LOCK)
        print(f"Another server ({who}) serves {folder} too; what it has begun is left to it.", flush=True)
    return alone


def redacting(budget: Path | None, no_content: bool) -> tuple[str, ...]:
    """Options of `overbudget ingest` by which a dump is redacted. Errors: OverbudgetError where `budget` is no budget file."""
    if budget is None:
        return ("--no-content",) if no_content else ()
    from overbudget.analysis.budget.file import load_budget

    load_budget(budget)
    return ("--budget", str(budget.resolve()), *(("--no-content",) if no_content else ()))


def _address(settings: Access) -> str:
    """Where a browser finds the server."""
    if settings.origins:
        return f"{settings.origins[0]}{settings.base}"
    host = "localhost" if settings.host in ("127.0.0.1", "0.0.0.0", "::") else settings.host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}{settings.base}"


def require_free(port: int, host: str = "127.0.0.1") -> None:
    """Errors: OverbudgetError where another program listens on the port, this user is not allowed to, or `host` is not ours."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
                raise OverbudgetError(f"--host {host} is no address of this machine.") from error
            why = "taken by another program" if error.errno == errno.EADDRINUSE else f"not available ({error.strerror})"
            raise OverbudgetError(
                f"Port {port} is {why}. Choose another one: overbudget serve --port {_other(port)}"
            ) from error


def _other(port: int) -> int:
    return port + 1 if 1024 <= port < 65535 else 8501


def _make(missing: list[tuple[Path, Path]]) -> None:
    for dump, dataset in missing:
        with tempfile.TemporaryDirectory(prefix="overbudget-sample-") as folder:
            start_ingest(dump, dataset, Path(folder)).wait()
