"""Commands that make, show and serve datasets."""

from pathlib import Path
from typing import Annotated, Optional

import typer

from overbudget.app.command_line.options import Dataset, Json, Limits


def _formats(asked: bool) -> None:
    if asked:
        from overbudget.app.text.formats import formats_text

        print(formats_text())
        raise typer.Exit


def ingest(
    dumps: Annotated[
        list[str],
        typer.Argument(
            metavar="DUMP...", help="Files, folders, patterns, or - for standard input.", show_default=False
        ),
    ],
    to: Annotated[Path, typer.Option("--to", help="The dataset to write.", show_default=False)],
    append: Annotated[bool, typer.Option("--append", help="Add to the dataset instead of replacing it.")] = False,
    no_replace: Annotated[
        bool,
        typer.Option("--no-replace", help="Where there is such a dataset already, write NAME-2.duckdb beside it."),
    ] = False,
    keep_clocks: Annotated[
        bool, typer.Option("--keep-clocks", help="Keep every time as recorded: do not correct clock skew.")
    ] = False,
    sampled: Annotated[
        str | None,
        typer.Option(
            "--sampled",
            metavar="SHARE|tail",
            help="How these traces were sampled, where they do not record it: the probability of being kept (0.1), or tail "
            "(slow and failed ones were kept).",
        ),
    ] = None,
    budget: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--budget", help="A budget file whose [redact] says what is not to be written.", show_default=False
        ),
    ] = None,
    no_content: Annotated[
        bool,
        typer.Option(
            "--no-content",
            help="Keep no prompt, answer or argument, but their lengths and hashes: advice on repeats and shared beginnings "
            "still works.",
        ),
    ] = False,
    formats: Annotated[
        bool,
        typer.Option("--formats", callback=_formats, is_eager=True, help="List the formats that are read, and exit."),
    ] = False,
    limits: Limits = None,
    json: Json = False,
) -> None:
    """Read trace dumps into a dataset. Format and compression are recognised from the content."""
    from overbudget.app.commands.ingest import run
    from overbudget.store.limits import set_limits

    set_limits(limits or ())
    run(dumps, to, append, not keep_clocks, json, sampled, not no_replace, budget, no_content)


def sql(
    dataset: Dataset,
    query: Annotated[str, typer.Argument(help="One SELECT statement of DuckDB's SQL.", show_default=False)],
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    json: Json = False,
) -> None:
    """Ask a dataset in SQL. It is opened read-only, without access to files or the network."""
    from overbudget.app.commands.sql import run

    run(dataset, query, "json" if json else "csv" if csv else "text")


def export(
    dataset: Dataset,
    parquet: Annotated[Path, typer.Option("--parquet", help="The folder to write to.", show_default=False)],
) -> None:
    """Write every relation of a dataset as a Parquet file."""
    from overbudget.app.commands.export import run

    run(dataset, parquet)


def warm() -> None:
    """Compile all machine code now, so that no later run waits for it (images, CI caches)."""
    from overbudget.app.commands.warm import run

    run()


def serve(
    workspace: Annotated[Path, typer.Option(help="The folder of the datasets.")] = Path("workspace"),
    port: Annotated[int, typer.Option(help="The port to listen on.", min=1, max=65535)] = 8501,
    host: Annotated[
        str, typer.Option(help="The address to listen on; any but this machine's own needs people to sign in.")
    ] = "127.0.0.1",
    base_url: Annotated[
        str,
        typer.Option("--base-url", metavar="PATH", help="The path below which a proxy shows it: /tools/overbudget."),
    ] = "",
    allowed_origin: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            "--allowed-origin",
            metavar="URL",
            help="The address that browsers show, where it is not this machine's: https://tools.example.org. Repeatable.",
            show_default=False,
        ),
    ] = None,
    password_file: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--password-file", help="Passwords that sign people in, by overbudget hash-password.", show_default=False
        ),
    ] = None,
    proxy: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="ADDRESS",
            help="A proxy that signs people in: an address or network whose --user-header is believed. Repeatable.",
            show_default=False,
        ),
    ] = None,
    user_header: Annotated[
        str, typer.Option("--user-header", help="The header in which a proxy says who has signed in.")
    ] = "X-Forwarded-User",
    role: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="USER=ROLE",
            help="The role of a user of the proxy: read, upload or admin. Repeatable.",
            show_default=False,
        ),
    ] = None,
    default_role: Annotated[
        str, typer.Option("--default-role", help="The role of all other users of the proxy.")
    ] = "read",
    without_sign_in: Annotated[
        bool, typer.Option("--without-sign-in", help="Serve everybody who can reach this machine, as administrators.")
    ] = False,
    budget: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--budget",
            help="A budget file whose [redact] says what of uploaded dumps is not to be written.",
            show_default=False,
        ),
    ] = None,
    no_content: Annotated[
        bool,
        typer.Option(
            "--no-content", help="Keep no prompt, answer or argument of uploaded dumps, as ingest --no-content."
        ),
    ] = False,
    limits: Limits = None,
) -> None:
    """Serve the dashboard on http://localhost:PORT."""
    from overbudget.app.server.access.settings import access
    from overbudget.app.server.serve import serve as run
    from overbudget.store.limits import set_limits

    set_limits(limits or ())
    origins, proxies, roles = allowed_origin or (), proxy or (), role or ()
    settings = access(
        host, port, base_url, origins, proxies, user_header, roles, default_role, password_file, without_sign_in
    )
    run(workspace, settings, budget, no_content)


def hash_password(
    role: Annotated[str, typer.Option(help="What the password is for: read, upload or admin.")] = "admin",
) -> None:
    """Ask for a password and print the line of it for overbudget serve --password-file."""
    from overbudget.app.commands.hash_password import run

    run(role)
