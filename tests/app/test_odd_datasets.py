"""Every command has an answer for datasets in which there is next to nothing to tell."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from overbudget.app.cli import app
from overbudget.store.errors import OverbudgetError
from tests.dataset_builder import MS, DatasetBuilder, Work


def nothing(builder: DatasetBuilder) -> None:
    pass


def one_request(builder: DatasetBuilder) -> None:
    builder.request(Work("inference", 10 * MS, "chat"), model="m")


def only_incomplete_ones(builder: DatasetBuilder) -> None:
    for _ in range(30):
        builder.request(Work("inference", 10 * MS, "chat"), complete=False, model="m")


def no_time_at_all(builder: DatasetBuilder) -> None:
    for _ in range(60):
        builder.request(Work("retrieval", 0, "search"))


def all_the_same(builder: DatasetBuilder) -> None:
    for _ in range(60):
        builder.request(Work("retrieval", 10 * MS, "search"))


def no_stages(builder: DatasetBuilder) -> None:
    for number in range(60):
        builder.request(Work(None, 10 * MS + number, "x"))


DATASETS = [nothing, one_request, only_incomplete_ones, no_time_at_all, all_the_same, no_stages]
COMMANDS = ["review", "tail", "whatif", "advise", "load", "consistency", "audit", "compare", "check"]
BUDGET = '[budget]\np95 = "20s"\n[stages.retrieval]\np95 = "10s"\n'


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_answers_whatever_little_there_is(
    command: str, dataset: Callable[[DatasetBuilder], None], tmp_path: Path
) -> None:
    builder = DatasetBuilder()
    dataset(builder)
    path, budget = str(builder.write(tmp_path / "d.duckdb")), tmp_path / "budget.toml"
    budget.write_text(BUDGET)
    arguments = [command, path, path] if command == "compare" else [command, path]
    for options in ([], ["--budget", str(budget)]):
        if (command == "check" and not options) or (command == "audit" and options):
            continue
        text = CliRunner().invoke(app, [*arguments, *options], catch_exceptions=False)
        found = CliRunner().invoke(app, [*arguments, *options, "--json"], catch_exceptions=False)
        assert (text.exit_code, found.exit_code) == (0, 0)
        assert text.stdout.strip()
        assert isinstance(json.loads(found.stdout, parse_constant=pytest.fail), dict)


@pytest.mark.parametrize("dataset", DATASETS)
def test_limits_are_made_or_a_sentence_says_why_not(dataset: Callable[[DatasetBuilder], None], tmp_path: Path) -> None:
    builder = DatasetBuilder()
    dataset(builder)
    path = str(builder.write(tmp_path / "d.duckdb"))
    found = CliRunner().invoke(app, ["allocate", path, "--total", "p95=5ms", "--json"])
    if found.exception is None:
        assert isinstance(json.loads(found.stdout, parse_constant=pytest.fail)["caps"], list)
    else:
        assert isinstance(found.exception, OverbudgetError)
        assert dataset in (nothing, no_stages, only_incomplete_ones, no_time_at_all)
