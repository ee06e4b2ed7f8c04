"""Commands that ask one question about the requests of a dataset."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Optional

import typer

from overbudget.app.command_line.options import BudgetFile, Dataset, Json, Only, Route


class JoinedBy(StrEnum):
    """What pieces of a run are joined by only where it is asked for."""

    conversation = "conversation"


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


def whatif(
    dataset: Dataset,
    cap: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="STAGE=400ms", help="A stage takes at most this long per request; an operation, per call."
        ),
    ] = None,
    scale: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="STAGE=0.5", help="Multiply the time of a stage or operation by this; 0 for no time."),
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
            metavar='"OP=10m"', help="Repeated calls of an operation with the same input within this time take no time."
        ),
    ] = None,
    drop_retries: Annotated[
        bool, typer.Option("--drop-retries", help="Leave out failed calls that were retried.")
    ] = False,
    drop: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="OP",
            help='Leave out an operation and all below it; "OP>3" keeps its first three calls of each request.',
        ),
    ] = None,
    servers: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar='"OP=5"', help="Let this many calls run at once, where the traces show a limit on them."),
    ] = None,
    tokens: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar='"input<=4000"',
            help='Change the number of tokens of prompts or answers: "input=0.5", "input<=4000", "output<=200" (quoted).',
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


def audit(
    dataset: Dataset,
    stitch: Annotated[
        bool,
        typer.Option(
            "--stitch",
            help="First join traces that were cut apart, by a request id they share or by links (changes the dataset).",
        ),
    ] = False,
    by: Annotated[
        Optional[JoinedBy],  # noqa: UP045
        typer.Option("--by", help="With --stitch: join pieces of a run by this too.", show_default=False),
    ] = None,
    to: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--to", help="With --stitch: write the result to this dataset instead.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Say whether the traces can be trusted: every problem, what it means, and how to repair it."""
    from overbudget.app.commands.audit import run

    run(dataset, stitch, by is not None, to, json)


def trace(
    dataset: Dataset,
    trace_id: Annotated[str, typer.Argument(help="A trace id, or its first characters.", show_default=False)],
    every: Annotated[bool, typer.Option("--all", help="Show every span of a very large trace.")] = False,
    json: Json = False,
    otlp: Annotated[bool, typer.Option("--otlp", help="Print its spans as OTLP/JSON, for other tools.")] = False,
) -> None:
    """Draw the waterfall of a trace, its critical path marked."""
    from overbudget.app.commands.trace import run

    run(dataset, trace_id, every, "otlp" if otlp else "json" if json else "text")
