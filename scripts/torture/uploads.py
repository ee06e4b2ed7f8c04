"""Uploads: several at once, of one name, of any name. Each becomes a dataset of its own."""

import random
import tempfile
import threading
import time
from pathlib import Path

from starlette.applications import Starlette
from starlette.testclient import TestClient

from overbudget.app.server.jobs import DONE, Jobs
from overbudget.app.server.upload import HEADER, PATH, upload_route
from overbudget.app.server.workspace import Workspace
from overbudget.store.dataset import open_dataset
from scripts.torture.ingests import DUMPS

NAMES = (
    "a.jsonl.gz",
    "x" * 300 + ".gz",
    "\U0001f600\U0001f4a9.json",
    "../../etc/passwd",
    "con\n.gz",
    ".hidden",
    "a b'\"<script>.gz",
    "",
)


def uploaded(draw: random.Random) -> str | None:
    """Two dumps that arrive at the same moment, most often under one name, are two datasets with all of their spans."""
    name = draw.choice(NAMES)
    names = [name, name if draw.random() < 0.7 else draw.choice(NAMES)]
    with tempfile.TemporaryDirectory(prefix="overbudget-torture-") as folder:
        jobs = Jobs(Workspace(Path(folder)))
        client = TestClient(Starlette(routes=[upload_route(jobs)]))
        answers: list[int] = []

        def send(name: str, dump: Path) -> None:
            sent = client.put(PATH, params={"name": name}, content=dump.read_bytes(), headers={HEADER: "1"})
            answers.append(sent.status_code)

        senders = [threading.Thread(target=send, args=pair) for pair in zip(names, DUMPS[:2], strict=True)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        end = time.monotonic() + 300
        while not all(job.ended for job in jobs.all()) and time.monotonic() < end:
            time.sleep(0.05)
        states = [(job.state, job.error) for job in jobs.all()]
        if answers != [200, 200] or [state for state, _ in states] != [DONE, DONE]:
            return f"uploads of {names!r}: {answers}, {states}"
        spans = sorted(_spans(path) for path in Path(folder).glob("*.duckdb"))
    return (
        None if len(spans) == 2 and len(set(spans)) == 2 else f"uploads of {names!r} became datasets of {spans} spans"
    )


def _spans(path: Path) -> int:
    connection = open_dataset(path)
    try:
        return int(connection.execute("SELECT count(*) FROM spans").fetchall()[0][0])
    finally:
        connection.close()
