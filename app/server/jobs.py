"""Ingest in a separate process, so that the pages stay usable and DuckDB's writer is not in the server."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from overbudget.app.commands.ingest import PROGRESS_VARIABLE


@dataclass
class Job:
    """A dump that is being read, or has been."""

    name: str
    dump: Path
    dataset: Path
    keep_dump: bool = False
    replace: bool = False
    _folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="overbudget-job-")))
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Job":
        command = [
            sys.executable,
            "-m",
            "overbudget.app.cli",
            "ingest",
            str(self.dump),
            "--to",
            str(self.dataset),
            "--json",
            *([] if self.replace else ["--no-replace"]),
        ]
        environment = {**os.environ, PROGRESS_VARIABLE: str(self._folder / "progress")}
        with (self._folder / "out").open("wb") as out, (self._folder / "err").open("wb") as err:
            self._process = subprocess.Popen(command, stdout=out, stderr=err, env=environment)
        return self

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def cancel(self) -> None:
        if self._process is not None and self.running:
            self._process.terminate()
            self._process.wait()

    def progress(self) -> dict[str, Any]:
        """bytes_read, bytes_total, spans and phase; empty before the first report."""
        try:
            progress: dict[str, Any] = json.loads((self._folder / "progress").read_text())
            return progress
        except (OSError, ValueError):
            return {}

    def result(self) -> dict[str, Any] | None:
        """What `overbudget ingest --json` printed; None where it failed."""
        try:
            printed: dict[str, Any] = json.loads((self._folder / "out").read_text())
            return printed
        except (OSError, ValueError):
            return None

    def error(self) -> str:
        """Why it failed, in one sentence."""
        said = (self._folder / "err").read_text(errors="replace").strip().splitlines()
        return said[-1] if said else "Reading was stopped."

    def finish(self) -> None:
        """Remove the uploaded dump: the dataset holds all that could be read."""
        if not self.keep_dump:
            self.dump.unlink(missing_ok=True)
