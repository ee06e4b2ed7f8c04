"""overbudget ingest."""

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from dataclasses import replace as replace_fields
from pathlib import Path

from overbudget.app.commands.first_run import compiling
from overbudget.app.commands.own_process import stop_once, watched
from overbudget.app.text.json_text import json_text
from overbudget.app.text.words import count
from overbudget.ingest.pipeline import IngestResult, Progress, ingest
from overbudget.ingest.warnings import meaning
from overbudget.kernels.compiling import compile_progress
from overbudget.stages.redaction import Redaction
from overbudget.store.errors import OverbudgetError
from overbudget.store.limits import how_to_raise, limit
from overbudget.store.lock import writing

DOING = {
    "reading": "Reading",
    "waiting": "Waiting for another process that writes this dataset",
    "deriving": "Working out critical paths",
}
PROGRESS_VARIABLE = "OVERBUDGET_PROGRESS"  # names a file that the dashboard reads progress from
PARENT_VARIABLE = "OVERBUDGET_PARENT"  # the process of the dashboard: an ingest that it started ends when it does


def run(
    dumps: list[str],
    to: Path,
    append: bool,
    adjust_clocks: bool,
    as_json: bool,
    sampled: str | None = None,
    replace: bool = True,
    budget: Path | None = None,
    no_content: bool = False,
) -> None:
    """Read dumps into a dataset; a progress bar on a terminal, then what was read."""
    redaction = redaction_of(budget, no_content)
    parent = int(os.environ[PARENT_VARIABLE]) if PARENT_VARIABLE in os.environ else None
    said = f"Reading took more than {{}} of memory, so it was stopped: nothing was written ({how_to_raise('ingest_memory')})."
    with watched(limit("ingest_memory"), parent, lambda: _sweep(to), said):
        stop_once()  # and remove unfinished files
        result = _read(lambda tell: ingest(dumps, to, append, tell, adjust_clocks, sampled, replace, redaction))
        print(json_text(result.as_dict()) if as_json else summary(result))


def _sweep(to: Path) -> None:
    """Remove what a reader that was killed left behind, under whichever name it wrote."""
    from overbudget.store.dataset import sweep, sweep_folder

    with suppress(OverbudgetError), writing(to, wait_s=0.0):
        sweep(to)
    sweep_folder(to.parent)


def _read(read: Callable[[Callable[[Progress], None] | None], IngestResult]) -> IngestResult:
    """What `read` returns, its progress shown where somebody looks."""
    if PROGRESS_VARIABLE in os.environ:
        return read(_progress_file(Path(os.environ[PROGRESS_VARIABLE])))
    return _with_bar(read) if sys.stderr.isatty() else read(None)


def redaction_of(budget: Path | None, no_content: bool) -> Redaction:
    """What is not to be written: the [redact] of a budget file, and content where that is asked for."""
    if budget is None:
        return Redaction(no_content=no_content)
    from overbudget.analysis.budget.file import load_budget

    return replace_fields(load_budget(budget).redact, no_content=no_content)


def _progress_file(path: Path) -> Callable[[Progress], None]:
    written = 0.0

    def write(progress: Progress) -> None:
        nonlocal written
        if time.monotonic() - written > 0.2 or progress.phase != "reading":
            written = time.monotonic()
            part = path.with_suffix(".part")
            part.write_text(json.dumps(asdict(progress)))
            part.replace(path)

    return write


def _with_bar(read: Callable[[Callable[[Progress], None]], IngestResult]) -> IngestResult:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[spans]:,} spans"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Reading", total=None, spans=0)

        doing = "Reading"

        def show(progress: Progress) -> None:
            nonlocal doing
            doing = DOING[progress.phase]
            bar.update(
                task, description=doing, completed=progress.bytes_read, total=progress.bytes_total, spans=progress.spans
            )

        with compile_progress(
            lambda done: bar.update(task, description=compiling(done)), lambda: bar.update(task, description=doing)
        ):
            return read(show)


def summary(result: IngestResult) -> str:
    """What was read, and every kind of warning with its count, as text for people."""
    lines = [
        f"{result.dataset} holds {count(result.spans, 'span')} in {count(result.traces, 'trace')}, {count(result.requests, 'request')}."
    ]
    for file in result.files:
        lines.append(f"  {file.source}: {file.format}, {count(file.spans, 'span')}")
        for warning in file.warnings.values():
            said = meaning(warning.code)
            lines.append(f"    {warning.code} × {warning.count:,}: {said.means} For example: {warning.example}.")
            if said.remedy:
                lines.append(f"      {said.remedy}")
    return "\n".join(lines)
