"""The route that dumps are uploaded to: streamed to disk, so that memory stays flat whatever their size.

Streamlit's own uploader keeps every byte in memory. Cross-site requests are refused: an upload needs a header that
neither a form nor another site can send without this server's consent. What has arrived is read, whether or not a page
still waits for it.
"""

import asyncio
from pathlib import Path

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from overbudget.app.server.jobs import Jobs
from overbudget.store.errors import OverbudgetError
from overbudget.store.limits import how_to_raise, limit

PATH = "/overbudget/upload"
HEADER = "x-overbudget-upload"
LONGEST_NAME = 1_000  # characters of a file's name that are kept


def upload_route(jobs: Jobs, base: str = "") -> Route:
    """PUT base + PATH?name=FILE with the header HEADER: answers {"id": of its job, "bytes": n}."""

    async def receive(request: Request) -> Response:
        if request.headers.get(HEADER) != "1":
            return JSONResponse({"error": "This upload did not come from the dashboard."}, 403)
        name = request.query_params.get("name", "")[:LONGEST_NAME] or "dump"
        said = request.headers.get("content-length", "0")
        announced = int(said) if said.isascii() and said.isdecimal() else 0
        if announced > limit("upload_bytes"):
            return _refused(_too_large(name), 413)
        try:
            job = jobs.arriving(name, announced)
        except OverbudgetError as error:
            return _refused(str(error), 507)
        except OSError as error:
            return _refused(f"{name} could not be stored: {error.strerror or error}.", 507)
        try:
            size = await _stored(request, job.dump, name)
            if announced and size != announced:
                raise OverbudgetError(f"{name} did not arrive completely; try again.")
            job.save()
        except BaseException as error:
            jobs.drop(job)
            if isinstance(error, OSError):
                return _refused(f"{name} could not be stored: {error.strerror or error}.", 507)
            if isinstance(error, _TooLarge):
                return _refused(str(error), 413)
            if isinstance(error, OverbudgetError):
                return _refused(str(error), 400)
            if isinstance(error, ClientDisconnect):
                return _refused("cancelled", 499)
            raise
        jobs.arrived(job)
        return JSONResponse({"id": job.id, "bytes": size})

    return Route(base + PATH, receive, methods=["PUT"])


class _TooLarge(OverbudgetError):
    pass


async def _stored(request: Request, path: Path, name: str) -> int:
    """Write what comes to `path`; its size. Errors: OverbudgetError where too much comes, or nothing for too long."""
    size, chunks = 0, aiter(request.stream())
    with path.open("wb") as file:
        while True:
            try:
                chunk = await asyncio.wait_for(anext(chunks), limit("upload_stall"))
            except StopAsyncIteration:
                return size
            except TimeoutError as error:
                raise OverbudgetError(f"{name} stopped coming ({how_to_raise('upload_stall')}).") from error
            size += len(chunk)
            if size > limit("upload_bytes"):
                raise _TooLarge(_too_large(name))
            file.write(chunk)


def _refused(why: str, status: int) -> Response:
    return JSONResponse({"error": why}, status)


def _too_large(name: str) -> str:
    return f"{name} is too large for an upload ({how_to_raise('upload_bytes')}); ingest it on the command line."
