"""overbudget.ingest()."""

from collections.abc import Callable, Sequence
from pathlib import Path

from overbudget.answers.answer import Answer, form_of
from overbudget.app.commands.ingest import summary
from overbudget.ingest.pipeline import IngestResult, Progress, ingest
from overbudget.stages.redaction import Redaction


def ask(
    dumps: Sequence[str],
    to: Path,
    append: bool,
    progress: Callable[[Progress], None] | None,
    adjust_clocks: bool,
    sampled: str | float | None,
    redaction: Redaction,
) -> Answer[IngestResult]:
    """What was read, file by file."""
    found = ingest(dumps, to, append, progress, adjust_clocks, sampled, redaction=redaction)
    return Answer(found, found.as_dict, lambda: form_of(summary(found).splitlines()[:1], found.as_dict(), "files"))
