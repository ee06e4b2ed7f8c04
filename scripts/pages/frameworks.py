"""docs/reference/frameworks.md: what is recognised of each framework, made from its recording in tests/frameworks/recorded/."""

import tempfile
from pathlib import Path

import duckdb

from overbudget.ingest.pipeline import ingest
from overbudget.stages.conventions import KINDS, NAMES, OPERATIONS
from overbudget.store.dataset import open_dataset
from tests.frameworks.recording.environments import RECORDINGS, Recording

RECORDED = Path(__file__).parents[2] / "tests" / "frameworks" / "recorded"
HEAD = """# Frameworks

What overbudget recognises of frameworks and their instrumentations, made from recordings of the real libraries
(`python -m tests.frameworks.record`, or `make frameworks`, records them anew). A dash is what the library does not record; first
token counts the model calls that tell it. OTLP exports of other libraries are read as well: stages then come from the conventions below,
and `overbudget audit` tells what is recorded on spans without a stage.

| recording | libraries | stages | model calls | first token | tokens | session | cost |
| --- | --- | --- | --- | --- | --- | --- | --- |
"""
CONVENTIONS = """
## Conventions

The attributes and span names by which a span's stage is known, strongest evidence first: what a span does, what kind of span it is,
what its framework calls it. Each table of `stages/conventions.py` names its source and the day it was read.

| known by | source | read |
| --- | --- | --- |
"""
_PLAIN = (
    "opentelemetry-sdk",
    "opentelemetry-exporter",
    "numpy",
    "setuptools",
    "httpx",
    "sqlalchemy",
    "alembic",
    "pandas",
    "wrapt",
    "@opentelemetry",
    "zod",
)
_CALLS = """
SELECT count(*), count(first_token_ns), count(input_tokens), count(cached_tokens), count(output_tokens), count(reasoning_tokens),
    count(cost), (SELECT count(conversation_id) FROM requests) FROM model_calls
"""
_STAGES = """
SELECT DISTINCT stage FROM stage_time WHERE stage NOT IN ('unattributed') ORDER BY stage
"""


def page() -> str:
    """The page as Markdown."""
    rows = [_row(recording) for recording in sorted(RECORDINGS, key=lambda one: one.name)]
    known = [
        *(f"| `{one.key}` | {one.source} | {one.read} |" for one in (*OPERATIONS, *KINDS)),
        *(f"| span names | {named.source} | {named.read} |" for named in NAMES),
    ]
    return HEAD + "\n".join(rows) + "\n" + CONVENTIONS + "\n".join(dict.fromkeys(known)) + "\n"


def _row(recording: Recording) -> str:
    with tempfile.TemporaryDirectory() as folder:
        dataset = Path(folder) / "d.duckdb"
        ingest([RECORDED / f"{recording.name}.jsonl.gz"], dataset)
        connection = open_dataset(dataset)
        cells = _cells(connection)
        connection.close()
    libraries = ", ".join(
        package.replace("==", " ") for package in recording.packages if not package.startswith(_PLAIN)
    )
    return f"| {recording.name} | {libraries} | {' | '.join(cells)} |"


def _cells(connection: duckdb.DuckDBPyConnection) -> list[str]:
    calls, first, *tokens, cost, session = connection.execute(_CALLS).fetchall()[0]
    stages = [stage for (stage,) in connection.execute(_STAGES).fetchall()]
    names = [name for name, count in zip(("input", "cached", "output", "reasoning"), tokens, strict=True) if count]
    told = [", ".join(stages), str(calls), str(first or "–"), ", ".join(names) or "–"]
    return [*told, "yes" if session else "–", "yes" if cost else "–"]
