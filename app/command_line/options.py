"""Options shared by several commands."""

from pathlib import Path
from typing import Annotated, Optional

import typer

Dataset = Annotated[Path, typer.Argument(help="A dataset made by overbudget ingest.", show_default=False)]
BudgetFile = Annotated[Optional[Path], typer.Option("--budget", help="A budget file (TOML).", show_default=False)]  # noqa: UP045
Route = Annotated[Optional[str], typer.Option(help="Only requests of this route.", show_default=False)]  # noqa: UP045
Only = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        metavar="KEY=VALUE",
        help="Only these requests: route, service, model, status, version, environment, start and end (times in ISO 8601), "
        "or attr:KEY (any attribute of the entry span or its resource). Repeatable; values of one key are alternatives.",
        show_default=False,
    ),
]
Limits = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        "--limit",
        metavar="NAME=VALUE",
        help="Set a limit (docs/reference/limits.md), such as lock_wait=30s. Repeatable.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown, for a comment on a pull request.")]


def form_of(json: bool, markdown: bool) -> str:
    """How an answer is printed: `json`, `markdown` or `text`."""
    return "json" if json else "markdown" if markdown else "text"
