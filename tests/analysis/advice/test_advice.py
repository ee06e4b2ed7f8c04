"""Advice: what each sample's story asks for, and nothing where nothing is wrong."""

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from overbudget.analysis.advice.advice import Advice, advise
from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.requests.table import Filters
from overbudget.analysis.whatif.changes import parse_changes
from overbudget.analysis.whatif.whatif import Workbench
from overbudget.app.server.workspace import SAMPLES
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset
from tests.dataset_builder import MS, DatasetBuilder, Work

STORIES = {
    "healthy": set(),
    "slow_database_tenant": {("blocking", "SELECT docs")},
    "tools_in_a_row": {("parallelise", "execute_tool weather")},
    "repeated_prompts": {("cache", "retrieve"), ("prompt_prefix", "chat steady-8b")},
    "load_ramp": {("queue", "wait_for_slot")},
    "erratic_big_model": {("model", "chat big-400b")},
}


def of_sample(name: str, tmp_path: Path) -> tuple[Path, list[Advice]]:
    path = tmp_path / f"{name}.duckdb"
    ingest([SAMPLES / f"{name}.otlp.jsonl.gz"], path)
    return path, advise(open_dataset(path), str(path))


@pytest.mark.parametrize("name", STORIES)
def test_each_story_gets_its_advice_and_no_other(name: str, tmp_path: Path) -> None:
    _path, found = of_sample(name, tmp_path)
    assert {advice.kind for advice in found} == {kind for kind, _ in STORIES[name]}
    for kind, operation in STORIES[name]:
        advice = next(one for one in found if one.kind == kind)
        assert operation in {one["name"] for one in advice.operations}
        assert advice.evidence
        effect = next(one for one in advice.effect if one.percentile == 95)
        assert effect.after_ns < effect.before_ns
    gains = [next(e.after_ns - e.before_ns for e in advice.effect if e.percentile == 95) for advice in found]
    assert gains == sorted(gains)


@pytest.mark.parametrize("name", ["tools_in_a_row", "repeated_prompts", "erratic_big_model"])
def test_the_command_reproduces_the_effect(name: str, tmp_path: Path) -> None:
    path, found = of_sample(name, tmp_path)
    for advice in found:
        words = shlex.split(advice.command)
        assert words[:3] == ["overbudget", "whatif", str(path)]
        options: dict[str, list[str]] = {}
        for option, value in zip(words[3::2], words[4::2], strict=True):
            options.setdefault(option.removeprefix("--"), []).append(value)
        shown = Workbench(open_dataset(path)).what_if(parse_changes(**options))  # type: ignore[arg-type]
        assert [ns for _, ns in shown.after] == [effect.after_ns for effect in advice.effect]


def tools(outputs: bool) -> DatasetBuilder:
    """Two tools in a row; with `outputs` the second asks for what the first said."""
    builder = DatasetBuilder()
    for number in range(40):
        said = {"output.value": f"order {number:05}"} if outputs else {}
        asked = {"input.value": f"status of order {number:05}"} if outputs else {}
        builder.request(
            Work("tools", 100 * MS, "find", attributes=said), Work("tools", 100 * MS, "status", attributes=asked)
        )
    return builder


def test_a_command_survives_the_shell_whatever_operations_are_called(tmp_path: Path) -> None:
    names = ('it\'s "a", $HOME `b` = c', "SELECT a, b")
    builder = DatasetBuilder()
    for _ in range(40):
        builder.request(*(Work("tools", 100 * MS, name) for name in names))
    connection = open_dataset(builder.write(tmp_path / "d.duckdb"))
    (advice,) = advise(connection, "d")
    printed = subprocess.run(
        ["sh", "-c", advice.command.replace("overbudget", "printf '%s\\0'", 1)], capture_output=True, check=True
    ).stdout.decode()
    assert printed.split("\0")[:3] == ["whatif", "d", "--parallel"]
    (change,) = parse_changes(parallel=[printed.split("\0")[3]])
    assert (change,) == advice.changes
    assert sorted(change.operations) == sorted(names)  # type: ignore[union-attr]


def test_a_call_that_asks_for_what_another_said_is_not_independent(tmp_path: Path) -> None:
    for outputs, kinds in ((False, ["parallelise"]), (True, [])):
        connection = open_dataset(tools(outputs).write(tmp_path / f"{outputs}.duckdb"))
        assert [advice.kind for advice in advise(connection, "d")] == kinds


def test_what_varies_in_order_is_surer_to_be_independent(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for number in range(40):
        work = [Work("tools", 100 * MS, "find"), Work("tools", 80 * MS, "status")]
        builder.request(*(work if number % 2 else reversed(work)))
    (advice,) = advise(open_dataset(builder.write(tmp_path / "d.duckdb")), "d")
    assert advice.confidence == "plausible"
    assert any("order varies" in reason for reason in advice.evidence)


def test_calls_with_something_between_them_are_left_alone(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for _ in range(40):
        builder.request(
            Work("safety", 50 * MS, "guard in"),
            Work("inference", 300 * MS, "chat"),
            Work("safety", 50 * MS, "guard out"),
        )
    assert advise(open_dataset(builder.write(tmp_path / "d.duckdb")), "d") == []


def test_time_in_no_span_is_to_be_instrumented(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for _ in range(40):
        builder.request(Work("inference", 300 * MS, "chat"), rest_ns=300 * MS)
    (advice,) = advise(open_dataset(builder.write(tmp_path / "d.duckdb")), "d")
    assert (advice.kind, advice.confidence) == ("instrument", "weak")
    assert advice.effect[0].after_ns == 300 * MS


def waiting(name: str, ms: tuple[float, float]) -> DatasetBuilder:
    random = np.random.default_rng(4)
    builder = DatasetBuilder()
    for _ in range(100):
        builder.request(
            Work("tools", int(random.uniform(*ms) * MS), name),
            Work("inference", int(random.uniform(200, 400) * MS), "chat"),
        )
    return builder


@pytest.mark.parametrize(
    ("name", "ms", "confidence"),
    [("waitForJob", (80, 300), "weak"), ("check job", (250, 250.5), "weak"), ("poll_job", (250, 250.5), "plausible")],
)
def test_a_wait_is_known_by_its_name_or_by_being_always_the_same(
    name: str, ms: tuple[float, float], confidence: str, tmp_path: Path
) -> None:
    path = waiting(name, ms).write(tmp_path / "d.duckdb")
    (advice,) = [one for one in advise(open_dataset(path), str(path)) if one.kind == "blocking"]
    assert ([one["name"] for one in advice.operations], advice.confidence) == ([name], confidence)
    assert all(effect.after_ns < effect.before_ns for effect in advice.effect)


def test_work_is_no_wait(tmp_path: Path) -> None:
    path = waiting("fetch prices", (80, 300)).write(tmp_path / "d.duckdb")
    assert [one for one in advise(open_dataset(path), str(path)) if one.kind == "blocking"] == []


@pytest.mark.parametrize(
    ("answer", "kinds"),
    [
        (lambda number: {"output.value": f"answer {number % 5}"}, ["cache"]),
        (lambda number: {"output.value": f"answer {number}"}, []),  # the same question, another answer
        (lambda number: {"output.value": f"answer {number % 5}"} if number else {}, []),  # one is not recorded
        (lambda number: {}, []),
    ],
)
def test_whole_answers_are_cached_only_where_they_are_the_same_every_time(
    answer: Callable[[int], dict[str, str]], kinds: list[str], tmp_path: Path
) -> None:
    random = np.random.default_rng(4)
    builder = DatasetBuilder()
    for number in range(40):
        said = {"input.value": f"question {number % 5}", **answer(number)}
        builder.request(Work("inference", int(random.uniform(200, 400) * MS), "chat", attributes=said))
    found = advise(open_dataset(builder.write(tmp_path / "d.duckdb")), "d")
    assert [one.kind for one in found] == kinds
    assert all("the same, every time" in one.evidence[1] and one.confidence == "plausible" for one in found)


def test_the_evidence_is_of_the_requests_looked_at_only(tmp_path: Path) -> None:
    builder = tools(outputs=False)
    for _ in range(60):
        builder.request(Work("tools", 100 * MS, "find"), Work("tools", 100 * MS, "status"), route="GET /else")
    connection = open_dataset(builder.write(tmp_path / "d.duckdb"))
    (advice,) = advise(connection, "d", filters=Filters(route="POST /chat"))
    assert advice.evidence[0].startswith("in 40 cases")
    assert advise(connection, "d", filters=Filters(route="GET /else"))[0].evidence[0].startswith("in 60 cases")


def test_stages_of_the_budget_decide_what_calls_are(tmp_path: Path) -> None:
    connection = open_dataset(tools(outputs=False).write(tmp_path / "d.duckdb"))
    budget = parse_budget('[stages.inference]\nmatch = [{ name = "find" }, { name = "status" }]')
    assert [one for one in advise(connection, "d", budget) if one.kind == "parallelise"] == []
