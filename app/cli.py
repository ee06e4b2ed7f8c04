"""The command `overbudget`. Each command is a file in app/commands/, imported when it is called."""

import gc
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, NoReturn, Optional

import typer

from overbudget.app.commands.broken_pipe import until_the_reader_leaves
from overbudget.app.commands.first_run import first_run_told
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
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown, for a comment on a pull request.")]


def form_of(json: bool, markdown: bool) -> str:
    """How an answer is printed: `json`, `markdown` or `text`."""
    return "json" if json else "markdown" if markdown else "text"


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


@app.command(epilog="Example: overbudget ingest traces.jsonl.gz more/*.binpb --to traces.duckdb")
def ingest(
    dumps: Annotated[
        list[str],
        typer.Argument(
            metavar="DUMP...", help="Files, folders, patterns, or - for standard input.", show_default=False
        ),
    ],
    to: Annotated[Path, typer.Option("--to", help="The dataset to write.", show_default=False)],
    append: Annotated[bool, typer.Option("--append", help="Add to the dataset instead of replacing it.")] = False,
    keep_clocks: Annotated[
        bool, typer.Option("--keep-clocks", help="Take every time as it was recorded: adjust no clock skew.")
    ] = False,
    sampled: Annotated[
        str | None,
        typer.Option(
            "--sampled",
            metavar="SHARE|tail",
            help="How these traces were chosen, where they do not record it: the probability of being kept (0.1), or tail "
            "(the slow and the failed ones).",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Read trace dumps into a dataset. Format and compression are recognised from the content."""
    from overbudget.app.commands.ingest import run

    run(dumps, to, append, not keep_clocks, json, sampled)


@app.command(epilog="Example: overbudget review traces.duckdb --budget budget.toml")
def review(
    dataset: Dataset,
    budget: BudgetFile = None,
    route: Route = None,
    only: Only = None,
    include_incomplete: Annotated[
        bool, typer.Option("--include-incomplete", help="Count requests whose spans are not all there.")
    ] = False,
    json: Json = False,
    markdown: Markdown = False,
    html: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--html", metavar="OUT", help="Write the whole report as one HTML file.", show_default=False),
    ] = None,
) -> None:
    """Say which stage blows the budget at p50, p75, p90, p95 and p99, and why."""
    from overbudget.app.commands.choice import filters_of
    from overbudget.app.commands.review import run

    run(
        dataset,
        budget,
        filters_of(only or [], route),
        include_incomplete,
        form_of(json, markdown),
        html,
    )


@app.command(epilog="Example: overbudget check traces.duckdb --budget budget.toml || echo over budget")
def check(
    dataset: Dataset,
    budget: Annotated[Path, typer.Option("--budget", help="A budget file (TOML).", show_default=False)],
    route: Route = None,
    only: Only = None,
    json: Json = False,
    markdown: Markdown = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit status 1 also where a cap could not be judged.")
    ] = False,
) -> None:
    """For CI: exit status 1 when a cap is over."""
    from overbudget.app.commands.choice import filters_of
    from overbudget.app.commands.review import run_check

    raise typer.Exit(run_check(dataset, budget, filters_of(only or [], route), form_of(json, markdown), strict))


@app.command(epilog="Example: overbudget tail traces.duckdb --percentile 99")
def tail(
    dataset: Dataset,
    percentile: Annotated[int, typer.Option(help="Requests at or beyond it are slow.", min=51, max=99)] = 95,
    over_budget: Annotated[
        bool, typer.Option("--over-budget", help="Requests over the budget's cap are slow.")
    ] = False,
    budget: BudgetFile = None,
    route: Route = None,
    only: Only = None,
    json: Json = False,
) -> None:
    """Say what the slow requests have in common: operations and attributes, against typical ones."""
    from overbudget.app.commands.choice import filters_of
    from overbudget.app.commands.tail import run

    run(dataset, budget, filters_of(only or [], route), percentile, over_budget, json)


@app.command(epilog='Example: overbudget whatif traces.duckdb --cap retrieval=400ms --parallel "tool a,tool b"')
def whatif(
    dataset: Dataset,
    cap: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="STAGE=400ms", help="A stage takes at most so long in each request, an operation each time."
        ),
    ] = None,
    scale: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="STAGE=0.5", help="A stage or operation takes so many times as long; 0 for no time."),
    ] = None,
    parallel: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar='"OP,OP"',
            help="Calls of these operations under one parent start together; a name with a comma in double quotes.",
        ),
    ] = None,
    cache: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar='"OP=10m"', help="Repeats of an operation with the same input within so long take no time."
        ),
    ] = None,
    drop_retries: Annotated[
        bool, typer.Option("--drop-retries", help="Failed calls that were made again do not occur.")
    ] = False,
    drop: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="OP",
            help='An operation does not happen, nor what is below it; "OP>3": only its first three calls of a request do.',
        ),
    ] = None,
    servers: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar='"OP=5"', help="So many calls may run at once, where a limit on them shows."),
    ] = None,
    tokens: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar='"input<=4000"',
            help='Prompts or answers have other numbers of tokens: "input=0.5", "input<=4000", "output<=200" (quoted).',
        ),
    ] = None,
    budget: BudgetFile = None,
    route: Route = None,
    only: Only = None,
    json: Json = False,
) -> None:
    """Replay every request with something changed: what the distribution of latency would be. Changes combine."""
    from overbudget.analysis.whatif.changes import parse_changes
    from overbudget.app.commands.choice import filters_of
    from overbudget.app.commands.whatif import run

    changes = parse_changes(
        cap or (), scale or (), parallel or (), cache or (), drop_retries, drop or (), servers or (), tokens or ()
    )
    run(dataset, budget, filters_of(only or [], route), changes, json)


@app.command(epilog="Example: overbudget advise traces.duckdb --budget budget.toml")
def advise(
    dataset: Dataset,
    budget: BudgetFile = None,
    route: Route = None,
    only: Only = None,
    json: Json = False,
) -> None:
    """Say what to change first, why, and what the effect would be."""
    from overbudget.app.commands.advise import run
    from overbudget.app.commands.choice import filters_of

    run(dataset, budget, filters_of(only or [], route), json)


@app.command(epilog="Example: overbudget load traces.duckdb --budget budget.toml")
def load(
    dataset: Dataset,
    budget: BudgetFile = None,
    route: Route = None,
    only: Only = None,
    json: Json = False,
) -> None:
    """Say whether requests stay fast under load: where the budget breaks, and which stage grows first."""
    from overbudget.app.commands.choice import filters_of
    from overbudget.app.commands.load import run

    run(dataset, budget, filters_of(only or [], route), json)


@app.command(epilog="Example: overbudget consistency traces.duckdb --budget budget.toml")
def consistency(
    dataset: Dataset,
    budget: BudgetFile = None,
    route: Route = None,
    only: Only = None,
    json: Json = False,
) -> None:
    """Say how predictable the latency is: per stage, model, route and hour."""
    from overbudget.app.commands.choice import filters_of
    from overbudget.app.commands.consistency import run

    run(dataset, budget, filters_of(only or [], route), json)


@app.command(epilog="Example: overbudget audit traces.duckdb --stitch")
def audit(
    dataset: Dataset,
    stitch: Annotated[
        bool,
        typer.Option("--stitch", help="First join traces that were cut, by the request id they share, in the dataset."),
    ] = False,
    to: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--to", help="With --stitch: write another dataset, and leave this one.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Say whether the traces can be trusted: every problem, what it means, and how to repair it."""
    from overbudget.app.commands.audit import run

    run(dataset, stitch, to, json)


@app.command(epilog="Example: overbudget compare before.duckdb after.duckdb --fail-on-regression")
def compare(
    base: Annotated[Path, typer.Argument(help="The dataset to compare with.", show_default=False)],
    candidate: Annotated[Path, typer.Argument(help="The dataset that may have changed.", show_default=False)],
    budget: BudgetFile = None,
    base_only: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            "--base-only",
            "--base",
            metavar="KEY=VALUE",
            help="Only these requests of the base, as --only elsewhere: version=1.4.",
        ),
    ] = None,
    candidate_only: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            "--candidate-only", "--candidate", metavar="KEY=VALUE", help="Only these requests of the candidate."
        ),
    ] = None,
    margin: Annotated[
        float,
        typer.Option(min=0.001, max=10, help="Up to which share of the base two percentiles count as equally fast."),
    ] = 0.1,
    json: Json = False,
    markdown: Markdown = False,
    fail_on_regression: Annotated[
        bool,
        typer.Option("--fail-on-regression", help="Exit with status 1 where the candidate is slower or fails more."),
    ] = False,
) -> None:
    """Say what changed between two datasets, or two parts of one, and which service makes the change."""
    from overbudget.app.commands.compare import run

    raise typer.Exit(
        run(
            base,
            candidate,
            budget,
            base_only or [],
            candidate_only or [],
            margin,
            form_of(json, markdown),
            fail_on_regression,
        )
    )


@app.command(epilog="Example: overbudget trace traces.duckdb 5b8efff798038103d269b633813fc60c")
def trace(
    dataset: Dataset,
    trace_id: Annotated[str, typer.Argument(help="A trace id, or how it begins.", show_default=False)],
    every: Annotated[bool, typer.Option("--all", help="Show every span of a very large trace.")] = False,
    json: Json = False,
    otlp: Annotated[bool, typer.Option("--otlp", help="Print its spans as OTLP/JSON, for other tools.")] = False,
) -> None:
    """Draw the waterfall of a trace, its critical path marked."""
    from overbudget.app.commands.trace import run

    run(dataset, trace_id, every, "otlp" if otlp else "json" if json else "text")


@app.command(epilog='Example: overbudget sql traces.duckdb "SELECT route, count(*) FROM requests GROUP BY route"')
def sql(
    dataset: Dataset,
    query: Annotated[str, typer.Argument(help="One SELECT statement of DuckDB's SQL.", show_default=False)],
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    json: Json = False,
) -> None:
    """Ask a dataset in SQL. It is opened read-only, without access to files or the network."""
    from overbudget.app.commands.sql import run

    run(dataset, query, "json" if json else "csv" if csv else "text")


@app.command(epilog="Example: overbudget export traces.duckdb --parquet traces/")
def export(
    dataset: Dataset,
    parquet: Annotated[Path, typer.Option("--parquet", help="The folder to write to.", show_default=False)],
) -> None:
    """Write every relation of a dataset as a Parquet file."""
    from overbudget.app.commands.export import run

    run(dataset, parquet)


@app.command(epilog="Example: overbudget warm")
def warm() -> None:
    """Compile all machine code now, so that no later run waits for it (images, CI caches)."""
    from overbudget.app.commands.warm import run

    run()


@app.command(epilog="Example: overbudget serve --workspace workspace --port 8501")
def serve(
    workspace: Annotated[Path, typer.Option(help="The folder of the datasets.")] = Path("workspace"),
    port: Annotated[int, typer.Option(help="The port to listen on, on this machine only.", min=1, max=65535)] = 8501,
) -> None:
    """Serve the dashboard on http://localhost:PORT."""
    from overbudget.app.server.serve import serve as run

    run(workspace, port)


def main() -> None:
    """Run a command. What a user can mend is said in one sentence on stderr (exit status 2), never as a traceback."""
    try:
        _run()
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        pass
    os._exit(status)  # the system frees memory at once; taking Python apart object by object takes a third of a second


def _run() -> NoReturn:
    status = 0
    try:
        with until_the_reader_leaves(), first_run_told():
            status = app(standalone_mode=False, prog_name="overbudget") or 0
        sys.exit(status)
    except OverbudgetError as error:
        fail(str(error))
    except typer.TyperException as error:
        fail(_usage(error))
    except Exception as error:
        if isinstance(error, RuntimeError) and "interrupt" in str(error).lower():  # Ctrl-C inside DuckDB
            sys.exit(130)
        if os.environ.get("OVERBUDGET_DEBUG"):
            raise
        kind = traceback.extract_tb(error.__traceback__)[-1]
        fail(
            f"overbudget failed ({type(error).__name__} in {Path(kind.filename).name}, line {kind.lineno}). "
            "This is a bug: please report it with what OVERBUDGET_DEBUG=1 prints."
        )


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
