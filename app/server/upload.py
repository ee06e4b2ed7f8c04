"""The route that dumps are uploaded to: streamed to disk, so that memory stays flat whatever their size.

Streamlit's own uploader keeps every byte in memory. Cross-site requests are refused: an upload needs a header that
neither a form nor another site can send without this server's consent.
"""

import uuid

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from overbudget.app.server.workspace import Workspace, safe_name

PATH = "/overbudget/upload"
HEADER = "x-overbudget-upload"
LARGEST = 2 << 30  # bytes of one file
QUOTA = 16 << 30  # bytes of all files that wait to be ingested


def upload_route(workspace: Workspace, largest: int = LARGEST, quota: int = QUOTA) -> Route:
    """PUT PATH?name=FILE with the header HEADER: answers {"file": name in the incoming folder, "bytes": n}."""

    async def receive(request: Request) -> Response:
        if request.headers.get(HEADER) != "1":
            return JSONResponse({"error": "This upload did not come from the dashboard."}, 403)
        name = safe_name(request.query_params.get("name", "")) or "dump"
        announced = int(request.headers.get("content-length") or 0)
        waiting = sum(path.stat().st_size for path in workspace.incoming.iterdir() if path.is_file())
        if announced > largest:
            return JSONResponse(
                {"error": f"{name} is larger than {largest / 2**30:.0f} GB; ingest it on the command line."}, 413
            )
        if waiting + announced > quota:
            return JSONResponse({"error": "Too many uploads wait to be read; try again when they are done."}, 507)
        final = workspace.incoming / f"{uuid.uuid4().hex}__{name}"
        part = final.with_name(f".{final.name}.part")
        size = 0
        try:
            with part.open("wb") as file:
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > largest:
                        return JSONResponse(
                            {
                                "error": f"{name} is larger than {largest / 2**30:.0f} GB; ingest it on the command line."
                            },
                            413,
                        )
                    file.write(chunk)
            if announced and size != announced:
                return JSONResponse({"error": f"{name} did not arrive completely; try again."}, 400)
            part.replace(final)
        except ClientDisconnect:
            return JSONResponse({"error": "cancelled"}, 499)
        except OSError as error:
            return JSONResponse({"error": f"{name} could not be stored: {error.strerror or error}."}, 507)
        finally:
            part.unlink(missing_ok=True)
        return JSONResponse({"file": final.name, "bytes": size})

    return Route(PATH, receive, methods=["PUT"])
