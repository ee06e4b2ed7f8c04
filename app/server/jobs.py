"""Uploaded dumps and what becomes of them: each is known by an id, from its first byte until its dataset is there.

A job lives in a folder of its own, `incoming/ID/`: the dump under its own name in `dump/`, and `job.json`, which says how far it is. No
page owns it: a tab that is closed loses nothing, and a server that is started again goes on where the one before was stopped.
While a server has a job it holds the lock of `incoming/ID/lock`, so that a second server on the workspace leaves it alone.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from overbudget.app.commands.ingest import PARENT_VARIABLE, PROGRESS_VARIABLE
from overbudget.app.server.workspace import Workspace, safe_name, size_below
from overbudget.store.errors import OverbudgetError
from overbudget.store.limits import how_to_raise, limit
from overbudget.store.lock import release, try_lock

WAITING, READING, STOPPING, DONE, FAILED, CANCELLED = "waiting", "reading", "stopping", "done", "failed", "cancelled"
ENDED = (DONE, FAILED, CANCELLED)
MOST_ATTEMPTS = 2  # servers that may be stopped over a dump before it is given up
REPORT = "job.json"
LEAST_FREE = 1 << 16  # bytes of a disk on which even a sentence finds no room
FILES = ("progress", "out", "err")  # of the process that reads


@dataclass
class Job:
    """A dump that arrives, waits, is read, or has been. `name` is what the visitor calls the file."""

    folder: Path
    name: str
    state: str = WAITING
    attempts: int = 0
    result: dict[str, Any] | None = None  # what `overbudget ingest --json` printed
    error: str = ""  # why it failed, in a sentence
    place: int = 0  # in the order of arrival
    _lock: int | None = field(default=None, repr=False)
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def dump(self) -> Path:
        return self.folder / "dump" / (safe_name(self.name) or "dump")

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    def progress(self) -> dict[str, Any]:
        """bytes_read, bytes_total, spans and phase; empty before the first report."""
        try:
            progress: dict[str, Any] = json.loads((self.folder / "progress").read_text())
            return progress
        except (OSError, ValueError):
            return {}

    def save(self) -> None:
        """Write down how far it is, whole or not at all."""
        part = self.folder / f"{REPORT}.part"
        kept = ("name", "state", "attempts", "result", "error", "place")
        part.write_text(json.dumps({key: getattr(self, key) for key in kept}))
        part.replace(self.folder / REPORT)

    @classmethod
    def saved(cls, folder: Path) -> "Job | None":
        """The job of a folder; None where it holds none that arrived whole."""
        try:
            kept = json.loads((folder / REPORT).read_text())
            job = cls(folder, **kept)
        except (OSError, ValueError, TypeError):
            return None
        return job if job.ended or job.dump.is_file() else None


class Jobs:
    """The jobs of one server on a workspace: a bounded queue that every page sees."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._jobs: dict[str, Job] = {}
        self._arriving = 0
        self._guard = threading.RLock()
        self.options: tuple[str, ...] = ()  # of `overbudget ingest`, for every dump: what is not to be written

    def arriving(self, name: str, announced: int) -> Job:
        """A place for a dump of this name whose bytes are about to come; `arrived` or `drop` follows.

        Errors: OverbudgetError where that is more than a server takes.
        """
        with self._guard:
            if self._arriving >= limit("open_uploads"):
                raise OverbudgetError(_too_much("Too many files are being uploaded", "open_uploads"))
            if sum(job.state == WAITING for job in self._jobs.values()) >= limit("jobs_waiting"):
                raise OverbudgetError(_too_much("Too many uploads wait to be read", "jobs_waiting"))
            if size_below(self._workspace.incoming) + announced > limit("waiting_bytes"):
                raise OverbudgetError(_too_much("Too many uploads wait to be read", "waiting_bytes"))
            if self._workspace.size() + announced > limit("workspace_bytes"):
                raise OverbudgetError(_too_much("The workspace is full: delete a dataset", "workspace_bytes"))
            place = max((job.place for job in self._jobs.values()), default=0) + 1
            job = Job(self._workspace.incoming / uuid.uuid4().hex, name, place=place)
            try:
                job.dump.parent.mkdir(parents=True)
                job._lock = try_lock(job.folder / "lock")
            except OSError:
                shutil.rmtree(job.folder, ignore_errors=True)
                raise
            self._arriving += 1
            return job

    def arrived(self, job: Job) -> None:
        """The dump is there, and its job is saved: it waits to be read, whoever still looks."""
        with self._guard:
            self._arriving -= 1
            self._jobs[job.id] = job
        self._start()

    def drop(self, job: Job) -> None:
        """The dump did not come."""
        with self._guard:
            self._arriving -= 1
        _let_go(job)
        shutil.rmtree(job.folder, ignore_errors=True)

    def all(self) -> list[Job]:
        """Jobs, the last that came first."""
        with self._guard:
            return sorted(self._jobs.values(), key=lambda job: -job.place)

    def cancel(self, job_id: str) -> None:
        """Stop a job that waits or is being read: the latter is cancelled when its process has ended."""
        with self._guard:
            job = self._jobs.get(job_id)
            if job is None or job.ended or job.state == STOPPING:
                return
            if job._process is not None:
                job.state = STOPPING
                with suppress(OSError):  # a full disk: the next server would read it again
                    job.save()
                job._process.terminate()  # who runs it ends it
                return
            job.state = CANCELLED
        self._end(job)

    def forget(self, job_id: str) -> None:
        """Show a job that has ended no longer."""
        with self._guard:
            job = self._jobs.get(job_id)
            if job is not None and job.ended:
                del self._jobs[job_id]
                shutil.rmtree(job.folder, ignore_errors=True)

    def recover(self) -> None:
        """Take over what a server before left: dumps that wait are read, what did not arrive whole is removed."""
        for folder in self._workspace.incoming.glob("*"):
            try:
                if not folder.is_dir():
                    folder.unlink(missing_ok=True)
                    continue
                lock = try_lock(folder / "lock")
            except OSError:  # a workspace that cannot be written: nothing is read either
                continue
            if lock is None:  # another server has it
                continue
            job = Job.saved(folder)
            if job is None:
                release(lock, folder / "lock")
                shutil.rmtree(folder, ignore_errors=True)
                continue
            job._lock = lock
            with self._guard:
                self._jobs[job.id] = job
            if job.ended:
                _let_go(job)
            elif job.state == STOPPING:
                job.state = CANCELLED
                self._end(job)
            elif job.attempts >= MOST_ATTEMPTS:
                job.state, job.error = FAILED, "The server was stopped twice while it was being read."
                self._end(job)
            else:
                job.state = WAITING
        self._start()

    def _start(self) -> None:
        """Read what waits, the first that came first, as many at once as may be."""
        with self._guard:
            free = limit("jobs_at_once") - sum(job._process is not None for job in self._jobs.values())
            waiting = [job for job in reversed(self.all()) if job.state == WAITING][: max(0, free)]
            for job in waiting:
                job.state, job.attempts = READING, job.attempts + 1
                try:
                    job.save()
                    to = self._workspace.path_for(job.name)
                    job._process = start_ingest(job.dump, to, job.folder, "--no-replace", *self.options)
                except OSError as error:
                    job.state, job.error = FAILED, f"It cannot be read now: {error.strerror or error}."
                    self._end(job)
                    continue
                threading.Thread(target=self._run, args=(job, job._process), daemon=True).start()

    def _run(self, job: Job, process: "subprocess.Popen[bytes]") -> None:
        process.wait()
        with self._guard:
            job._process = None
            stopped, job.result = job.state == STOPPING, printed(job.folder)
            if stopped and job.result is None:
                job.state = CANCELLED
            else:  # it may have been asked to stop when its dataset was there already
                job.state = FAILED if job.result is None else DONE
                job.error = "" if job.result else complaint(job.folder).replace(str(job.dump), job.name)
        self._end(job)
        self._start()

    def _end(self, job: Job) -> None:
        """Keep the outcome, and nothing of the dump: the dataset holds all that could be read."""
        shutil.rmtree(job.dump.parent, ignore_errors=True)
        with suppress(OSError):  # a full disk
            job.save()
        with suppress(OSError):
            for name in FILES:
                (job.folder / name).unlink(missing_ok=True)
        _let_go(job)
        for old in [job for job in self.all() if job.ended][limit("jobs_kept") :]:
            self.forget(old.id)


@cache
def jobs_of(folder: Path) -> Jobs:
    """The jobs of this server on the workspace `folder`: one queue, whoever asks."""
    return Jobs(Workspace(folder))


def start_ingest(dump: Path, dataset: Path, folder: Path, *options: str) -> "subprocess.Popen[bytes]":
    """Read a dump in a process of its own, so that pages stay usable and DuckDB's writer is not in theirs.

    It writes how far it is, what it prints and what it complains of to files in `folder`, and ends when this process does.
    """
    command = [
        sys.executable,
        "-m",
        "overbudget.app.cli",
        "ingest",
        str(dump),
        "--to",
        str(dataset),
        "--json",
        *options,
    ]
    environment = {
        **os.environ,
        PROGRESS_VARIABLE: str(folder / "progress"),
        PARENT_VARIABLE: str(os.getpid()),
    }
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment)


def printed(folder: Path) -> dict[str, Any] | None:
    """What an ingest with files in `folder` printed; None where it failed."""
    try:
        found: dict[str, Any] = json.loads((folder / "out").read_text())
        return found
    except (OSError, ValueError):
        return None


def complaint(folder: Path) -> str:
    """Why an ingest with files in `folder` failed, in a sentence."""
    said = (folder / "err").read_text(errors="replace").strip().splitlines()
    if said:
        return said[-1]
    full = shutil.disk_usage(folder).free < LEAST_FREE
    return "Reading was stopped because the disk is full." if full else "Reading was stopped."


def _let_go(job: Job) -> None:
    if job._lock is not None:
        release(job._lock, job.folder / "lock")
        job._lock = None


def _too_much(what: str, name: str) -> str:
    return f"{what} ({how_to_raise(name)}). Try again when some are done."
