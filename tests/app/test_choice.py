"""Requests chosen on the command line: what is looked at is what was asked for, and what was meant is said."""

import json
import re
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from overbudget.app.cli import app
from overbudget.app.commands.choice import filters_of
from overbudget.store.errors import OverbudgetError
from tests.dataset_builder import FIRST_START_NS, MS, DatasetBuilder, Work

S = 1_000 * MS
MIDDLE = "2026-09-21T14:14:20Z"  # 60 requests start before it, 60 after


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> str:
    builder = DatasetBuilder()
    for number in range(120):
        calls = [
            Work("tools", 100 * MS, "find"),
            Work("tools", (100 if number < 60 else 300) * MS, "status"),
        ]
        builder.request(
            *(calls if number % 4 < 2 else reversed(calls)),  # neither needs the other
            model="it's big" if number % 2 else "small",
            route="POST /chat" if number % 3 else "GET /search",
            start_ns=FIRST_START_NS + number * S,
            attributes={"tenant": "a=b" if number < 30 else "c"} if number < 90 else {},
            version="1.4" if number < 60 else "1.5",
            environment="prod",
        )
    for _ in range(7):
        builder.request(Work("tools", 100 * MS, "find"), route="POST /other", complete=False)
    return str(builder.write(tmp_path_factory.mktemp("choice") / "d.duckdb"))


def json_of(*words: str) -> Any:
    done = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    assert done.exit_code == 0
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("conditions", "requests"),
    [
        ([], 120),
        (["route=POST /chat"], 80),
        (["route=POST /chat", "route=GET /search"], 120),
        (["model=it's big", f"start={MIDDLE}"], 30),
        ([f"end={MIDDLE}"], 60),
        (["end=2026-09-21T14:14:20"], 60),
        (["version=1.5"], 60),
        (["environment=prod", "version=1.4", "version=1.5"], 120),
        (["attr:tenant=a=b"], 30),
        (["attr:tenant=a=b", "attr:tenant=c"], 90),
        (["attr:tenant="], 30),
        (["attr:tenant=c", "version=1.4"], 30),
    ],
)
def test_only_the_requests_asked_for_are_reviewed(dataset: str, conditions: list[str], requests: int) -> None:
    options = [word for condition in conditions for word in ("--only", condition)]
    # the latency of incomplete ones is known, and a what-if replays what is left of them (its answer is then a bound)
    incomplete = 7 if conditions in ([], ["attr:tenant="]) else 0
    assert json_of("review", dataset, *options)["end_to_end"][0]["n"] == requests + incomplete
    assert json_of("whatif", dataset, *options)["requests"] == requests + incomplete


def test_incomplete_requests_count_where_they_are_asked_for(dataset: str) -> None:
    assert json_of("review", dataset, "--include-incomplete")["end_to_end"][0]["n"] == 127


def test_the_command_of_an_advice_looks_at_the_same_requests(dataset: str) -> None:
    found = json_of("advise", dataset, "--only", "model=it's big", "--only", f"start={MIDDLE}")["advice"]
    assert found
    for advice in found:
        words = shlex.split(advice["try"])[1:]
        percentiles = json_of(*words)["percentiles"]
        assert [{key: one[key] for key in advice["effect"][0]} for one in percentiles] == advice["effect"]


def test_before_and_after_are_parts_of_one_dataset(dataset: str) -> None:
    found = json_of("compare", dataset, dataset, "--base", f"end={MIDDLE}", "--candidate", f"start={MIDDLE}")
    assert found["end_to_end"][0]["change_ns"] == 200 * MS


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        (["rout=x"], "Did you mean `route`"),
        (["route"], "is not KEY=VALUE"),
        (["start=yesterday"], "ISO 8601"),
        (["attr:tenant"], "attr:KEY=VALUE"),
        (["attr:=x"], "attr:KEY=VALUE"),
        (["start=2026-09-21", "start=2026-09-22"], "one time"),
    ],
)
def test_a_choice_that_makes_no_sense_is_refused_in_words(conditions: list[str], said: str) -> None:
    with pytest.raises(OverbudgetError, match=said):
        filters_of(conditions)


@pytest.mark.parametrize("command", ["review", "tail", "whatif", "advise", "load", "consistency"])
def test_what_no_request_has_is_said(dataset: str, command: str) -> None:
    done = CliRunner().invoke(app, [command, dataset, "--only", "model=smal"])
    assert isinstance(done.exception, OverbudgetError)
    assert "Did you mean `small`" in str(done.exception)


def test_versions_of_one_dataset_are_compared(dataset: str) -> None:
    found = json_of("compare", dataset, dataset, "--base-only", "version=1.4", "--candidate-only", "version=1.5")
    assert found["end_to_end"][0]["change_ns"] == 200 * MS


def test_check_looks_at_the_requests_asked_for_alone(dataset: str, tmp_path: Path) -> None:
    budget = tmp_path / "budget.toml"
    budget.write_text('[budget]\np95 = "250ms"')
    for only, status in ((["--only", "version=1.4"], 0), (["--only", "version=1.5"], 1)):
        done = CliRunner().invoke(app, ["check", dataset, "--budget", str(budget), *only])
        assert done.exit_code == status, only
    both = CliRunner().invoke(app, ["check", dataset, "--budget", str(budget), "--strict"])
    assert both.exit_code == 1  # half of the time within the cap and half over it: no percentile for both together
    assert "NOT JUDGED" in both.output
    done = CliRunner().invoke(app, ["check", dataset, "--budget", str(budget), "--only", "version=1.6"])
    assert isinstance(done.exception, OverbudgetError)


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("version=1.6", "Did you mean `1.[45]`|There are 1.4, 1.5"),
        ("attr:tenant=d", "There are c, a=b"),
        ("attr:tenannt=c", "has the attribute `tenannt`"),
    ],
)
def test_what_there_is_instead_of_an_unknown_value_is_said(dataset: str, condition: str, said: str) -> None:
    done = CliRunner().invoke(app, ["review", dataset, "--only", condition])
    assert isinstance(done.exception, OverbudgetError)
    assert re.search(said, str(done.exception))


def test_filters_by_attribute_follow_the_entry_spans_that_a_budget_names(dataset: str, tmp_path: Path) -> None:
    budget = tmp_path / "budget.toml"
    budget.write_text('[request]\nmatch = { name = "POST *" }')
    found = json_of("review", dataset, "--budget", str(budget), "--only", "attr:tenant=a=b")
    assert found["end_to_end"][0]["n"] == 20


def test_one_value_of_a_key_is_told_as_one() -> None:
    found = filters_of(["model=a", "status=OK", "status=ERROR", "start=2026-09-21T00:00:00+00:00"], "r")
    assert (found.route, found.model, found.status) == ("r", "a", ["OK", "ERROR"])
    assert found.start == datetime(2026, 9, 21, tzinfo=UTC)
