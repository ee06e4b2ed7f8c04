"""The command `overbudget`: its subcommands, and how their errors are shown."""

import errno
import gc
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from overbudget.app.command_line import budgets, datasets, questions
from overbudget.app.commands import own_process
from overbudget.app.commands.broken_pipe import until_the_reader_leaves
from overbudget.app.commands.first_run import first_run_progress
from overbudget.store import versions
from overbudget.store.errors import OverbudgetError

# Imports make a hundred thousand objects that stay: looking through them for garbage took a fifth of the start.
gc.set_threshold(200_000, 20, 50)

app = typer.Typer(
    name="overbudget",
    help="Which stage of your LLM system blows the latency budget, at which percentile, and why.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> None:
    if asked:
        print(f"overbudget {versions.PROGRAM} (dataset format {versions.FORMAT}, method {versions.METHOD})")
        raise typer.Exit


@app.callback()
def overbudget(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


COMMANDS: dict[Callable[..., None], str] = {  # in the order of --help, each with an example
    datasets.ingest: "overbudget ingest traces.jsonl.gz more/*.binpb --to traces.duckdb",
    budgets.review: "overbudget review traces.duckdb --budget budget.toml",
    budgets.check: "overbudget check traces.duckdb --budget budget.toml || echo over budget",
    questions.tail: "overbudget tail traces.duckdb --percentile 99",
    questions.whatif: 'overbudget whatif traces.duckdb --cap retrieval=400ms --parallel "tool a,tool b"',
    questions.advise: "overbudget advise traces.duckdb --budget budget.toml",
    questions.load: "overbudget load traces.duckdb --budget budget.toml",
    questions.consistency: "overbudget consistency traces.duckdb --budget budget.toml",
    questions.audit: "overbudget audit traces.duckdb --stitch",
    budgets.allocate: "overbudget allocate traces.duckdb --total p95=2s --fixed inference --write budget.toml",
    budgets.export_slo: "overbudget export-slo traces.duckdb --budget budget.toml --out slo.rules.yml",
    budgets.compare: "overbudget compare before.duckdb after.duckdb --fail-on-regression",
    questions.trace: "overbudget trace traces.duckdb 5b8efff798038103d269b633813fc60c",
    datasets.sql: 'overbudget sql traces.duckdb "SELECT route, count(*) FROM requests GROUP BY route"',
    datasets.export: "overbudget export traces.duckdb --parquet traces/",
    datasets.warm: "overbudget warm",
    datasets.serve: "overbudget serve --workspace workspace --port 8501",
    datasets.hash_password: "overbudget hash-password --role admin > passwords.txt",
}
for command, example in COMMANDS.items():
    app.command(epilog=f"Example: {example}")(command)


def main() -> None:
    """Run a command. An error that the user can fix is one sentence on stderr (exit status 2), never a traceback."""
    own_process.Watching.allowed = True
    # numba asks scipy for linear algebra, which no kernel does: where it is installed that took 0.15 s of every first call.
    sys.modules.setdefault("scipy", None)  # type: ignore[arg-type]
    try:
        _run()
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # nobody reads it, or a full disk
        pass
    os._exit(status)  # the system frees memory at once; taking Python apart object by object takes a third of a second


_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)  # what a disk says that takes no more


def _run() -> NoReturn:
    status = 0
    try:
        with until_the_reader_leaves(), first_run_progress():
            status = app(standalone_mode=False, prog_name="overbudget") or 0
        sys.exit(status)
    except OverbudgetError as error:
        fail(str(error))
    except typer.TyperException as error:
        fail(_usage(error))
    except Exception as error:
        if isinstance(error, RuntimeError) and "interrupt" in str(error).lower():  # Ctrl-C inside DuckDB
            sys.exit(130)
        if isinstance(error, OSError) and error.errno in _DISK:
            fail(f"Cannot write {error.filename or 'what is printed'}: {error.strerror}.")
        if said := _damage(error):
            fail(said)
        if os.environ.get("OVERBUDGET_DEBUG"):
            raise
        kind = traceback.extract_tb(error.__traceback__)[-1]
        fail(
            f"overbudget failed ({type(error).__name__} in {Path(kind.filename).name}, line {kind.lineno}). "
            "This is a bug: please report it with what OVERBUDGET_DEBUG=1 prints."
        )


def _damage(error: Exception) -> str | None:
    if "duckdb" not in sys.modules:
        return None
    from overbudget.store.dataset import damage

    return damage(error)


def _usage(error: typer.TyperException) -> str:
    """What is wrong with a command line, and where to look; the help itself where no command is given."""
    said, context = error.format_message(), getattr(error, "ctx", None)
    if context is None or said.startswith("Usage:"):
        return said
    return f"{said}{'' if said.endswith(('.', '?')) else '.'} See: {context.command_path} --help"


def fail(sentence: str) -> NoReturn:
    """Exit with status 2 and a sentence on stderr."""
    print(sentence, file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
