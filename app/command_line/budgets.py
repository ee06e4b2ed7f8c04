"""Commands that judge requests against a budget, or compare them with other requests."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Optional

import typer

from overbudget.app.command_line.options import BudgetFile, Dataset, Json, Markdown, Only, Route, form_of


class Unit(StrEnum):
    """The unit of a histogram."""

    ms = "ms"
    s = "s"


def review(
    dataset: Dataset,
    budget: BudgetFile = None,
    route: Route = None,
    only: Only = None,
    include_incomplete: Annotated[
        bool, typer.Option("--include-incomplete", help="Include requests with missing spans.")
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


def check(
    dataset: Dataset,
    budget: Annotated[Path, typer.Option("--budget", help="A budget file (TOML).", show_default=False)],
    route: Route = None,
    only: Only = None,
    json: Json = False,
    markdown: Markdown = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with status 1 also when a cap could not be judged.")
    ] = False,
) -> None:
    """For CI: exit with status 1 when a cap is exceeded."""
    from overbudget.app.commands.choice import filters_of
    from overbudget.app.commands.review import run_check

    raise typer.Exit(run_check(dataset, budget, filters_of(only or [], route), form_of(json, markdown), strict))


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
            help="Only these requests of the base, written like --only: version=1.4.",
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
        typer.Option(
            min=0.001, max=10, help="Two percentiles count as equal when they differ by at most this share of the base."
        ),
    ] = 0.1,
    json: Json = False,
    markdown: Markdown = False,
    fail_on_regression: Annotated[
        bool,
        typer.Option("--fail-on-regression", help="Exit with status 1 where the candidate is slower or fails more."),
    ] = False,
) -> None:
    """Say what changed between two datasets, or two parts of one, and which service accounts for it."""
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


def allocate(
    dataset: Dataset,
    total: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="p95=2s", help="The cap on the whole request; by default the budget's at p95.", show_default=False
        ),
    ] = None,
    fixed: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="STAGE", help="A stage that keeps its time. Repeatable.", show_default=False),
    ] = None,
    budget: BudgetFile = None,
    route: Route = None,
    only: Only = None,
    json: Json = False,
    write: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            metavar="BUDGET",
            help="Write the limits to this budget file, whose other lines stay; with --route, for that route.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Make limits for every stage from one total, and replay the requests with them."""
    from overbudget.app.commands.allocate import run
    from overbudget.app.commands.choice import filters_of

    run(dataset, total, fixed or [], budget, route, filters_of(only or [], route), json, write)


def export_slo(
    dataset: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Argument(
            help="A dataset, whose entry spans are the requests; without one, all server spans are.", show_default=False
        ),
    ] = None,
    budget: Annotated[Path, typer.Option("--budget", help="A budget file (TOML) with [objective].")] = Path(
        "budget.toml"
    ),
    metric: Annotated[
        str, typer.Option(help="The histogram of span durations, without _bucket.")
    ] = "traces_span_metrics_duration_milliseconds",
    first_token_metric: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--first-token-metric",
            metavar="METRIC",
            help="A histogram of the first token of answers; span metrics have none.",
            show_default=False,
        ),
    ] = None,
    unit: Annotated[
        Optional[Unit],  # noqa: UP045
        typer.Option(
            help="The unit of a histogram whose name does not end in _milliseconds or _seconds.", show_default=False
        ),
    ] = None,
    label: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            "--label",
            metavar="NAME=OWN",
            help="Your name of a label: service_name, span_name, span_kind or status_code. Repeatable.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--out", metavar="FILE", help="Write the rules to this file.", show_default=False),
    ] = None,
) -> None:
    """Write the objective and the caps as Prometheus rules on the span metrics of the OpenTelemetry collector."""
    from overbudget.app.commands.export_slo import run

    run(dataset, budget, metric, first_token_metric, unit.value if unit else None, label or (), out)
