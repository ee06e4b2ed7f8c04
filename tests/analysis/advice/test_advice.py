"""Advice: what each sample's story asks for, and nothing where nothing is wrong."""

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from overbudget.analysis.advice.advice import Advice, advise, proposals
from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.requests.table import Filters
from overbudget.analysis.whatif.changes import Drop, parse_changes
from overbudget.analysis.whatif.whatif import Workbench
from overbudget.app.server.workspace import SAMPLES
from overbudget.app.text.advice import effect_text
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
    """Two tools in a row, in any order; with `outputs` in one, and the second asks for what the first said."""
    builder = DatasetBuilder()
    for number in range(40):
        said = {"output.value": f"order {number:05}"} if outputs else {}
        asked = {"input.value": f"status of order {number:05}"} if outputs else {}
        work = [Work("tools", 100 * MS, "find", attributes=said), Work("tools", 100 * MS, "status", attributes=asked)]
        builder.request(*(work if outputs or number % 2 else reversed(work)))
    return builder


def test_a_command_survives_the_shell_whatever_operations_are_called(tmp_path: Path) -> None:
    names = ('it\'s "a", $HOME `b` = c', "SELECT a, b")
    builder = DatasetBuilder()
    for number in range(40):
        builder.request(*(Work("tools", 100 * MS, name) for name in (names if number % 2 else reversed(names))))
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


def in_a_row(names: tuple[str, str], swapped: int, tmp_path: Path, told: bool = False) -> list[Advice]:
    """The advice where so many of 40 requests have two calls of retrieval in the other order."""
    builder = DatasetBuilder()
    for number in range(40):
        said = {"output.value": f"found {number:05}", "input.value": f"question {number:05}"} if told else {}
        work = [Work("retrieval", (100 + number) * MS, name, attributes=said) for name in names]
        builder.request(*(reversed(work) if number < swapped else work))
    return advise(open_dataset(builder.write(tmp_path / "d.duckdb")), "d")


@pytest.mark.parametrize(("swapped", "proposed"), [(0, False), (1, False), (2, True), (20, True)])
def test_calls_are_independent_where_their_order_varies_and_a_constant_order_is_no_advice(
    swapped: int, proposed: bool, tmp_path: Path
) -> None:
    found = in_a_row(("find a", "find b"), swapped, tmp_path)
    assert [(one.kind, one.confidence) for one in found] == ([("parallelise", "plausible")] if proposed else [])


def test_recorded_inputs_and_outputs_that_have_nothing_in_common_speak_for_independence(tmp_path: Path) -> None:
    (advice,) = in_a_row(("find a", "find b"), 0, tmp_path, told=True)
    assert advice.confidence == "plausible"
    assert any("in 0 of 40 cases" in reason for reason in advice.evidence)
    assert "their order is always the same" in advice.against


@pytest.mark.parametrize(
    "names", [("embed query", "vector search"), ("search_documents", "rerank"), ("rerank passages", "chat mist")]
)
def test_roles_that_feed_each_other_are_never_run_in_parallel(names: tuple[str, str], tmp_path: Path) -> None:
    assert in_a_row(names, 20, tmp_path, told=True) == []


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
        builder.request(Work("inference", 300 * MS, "chat"), rest_ns=301 * MS)
    (advice,) = advise(open_dataset(builder.write(tmp_path / "d.duckdb")), "d")
    assert (advice.kind, advice.confidence) == ("instrument", "weak")
    assert (advice.effect, advice.changes) == ((), ())  # it promises no time
    assert effect_text(advice).startswith("By itself it saves no time")


def test_no_two_pieces_of_advice_count_the_same_seconds(tmp_path: Path) -> None:
    """A query that is asked again and again with one input, and slow at times: the cache takes the slow ones away too."""
    random = np.random.default_rng(4)
    builder = DatasetBuilder()
    for number in range(200):
        ns = int(random.uniform(50, 60) * MS) + (400 * MS if number % 10 == 0 else 0)
        asked = {"db.query.text": "SELECT 1", "input.value": "the same"}
        builder.request(Work("retrieval", ns, "SELECT docs", attributes=asked), rest_ns=20 * MS)
    connection = open_dataset(builder.write(tmp_path / "d.duckdb"))
    proposed = proposals(Workbench(connection))
    assert {one.kind for one in proposed} >= {"cache", "blocking"}
    assert [one.kind for one in advise(connection, "d") if one.effect] == ["cache"]


def test_many_calls_in_a_row_are_asked_at_once(tmp_path: Path) -> None:
    for calls, kinds in ((4, []), (5, ["batch_calls"])):
        builder = DatasetBuilder()
        for _ in range(40):
            builder.request(*(Work("database", 20 * MS, "SELECT item") for _ in range(calls)))
        found = advise(open_dataset(builder.write(tmp_path / f"{calls}.duckdb")), "d")
        assert [one.kind for one in found] == kinds
        assert all(one.effect[0].after_ns == 20 * MS for one in found)


def test_a_loop_that_runs_more_often_in_slow_requests_is_to_end_sooner(tmp_path: Path) -> None:
    for steps, kinds in ((5, []), (12, ["fewer_steps"])):  # of the slowest tenth, instead of four
        random = np.random.default_rng(1)
        builder = DatasetBuilder()
        for number in range(200):
            often = steps if number % 10 == 0 else 4
            work = [Work("inference", int(random.uniform(280, 320) * MS), "chat") for _ in range(often)]
            builder.request(*work)
        connection = open_dataset(builder.write(tmp_path / f"{steps}.duckdb"))
        found = advise(connection, "d")
        assert [one.kind for one in found] == kinds
        for one in found:
            assert one.changes == (Drop("chat", 4),)
            assert parse_changes(drop=[shlex.split(one.command)[-1]]) == [Drop("chat", 4)]
            p95 = next(effect for effect in one.effect if effect.percentile == 95)
            assert p95.after_ns == pytest.approx(4 * 300 * MS, rel=0.05)


@pytest.mark.parametrize(("side", "kind"), [("input", "shorten_prompt"), ("output", "limit_output")])
def test_prompts_and_answers_many_times_as_long_as_usual_are_to_be_shorter(
    side: str, kind: str, tmp_path: Path
) -> None:
    for most, kinds in ((2, []), (8, [kind])):  # times the usual, in the largest tenth
        random = np.random.default_rng(2)
        builder = DatasetBuilder()
        for number in range(200):
            tokens = int(random.uniform(900, 1_100)) * (most if number % 10 == 0 else 1)
            other = int(random.uniform(95, 105))
            given = {
                "gen_ai.usage.input_tokens": str(tokens if side == "input" else other),
                "gen_ai.usage.output_tokens": str(tokens if side == "output" else other),
            }
            builder.request(Work("inference", 100 * MS + tokens * MS // 2, "chat", attributes=given))
        found = advise(open_dataset(builder.write(tmp_path / f"{most}.duckdb")), "d")
        assert [one.kind for one in found] == kinds
        for one in found:
            p95 = next(effect for effect in one.effect if effect.percentile == 95)
            assert p95.after_ns == pytest.approx(600 * MS, rel=0.05)


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
    for number in range(60):
        work = [Work("tools", 100 * MS, "find"), Work("tools", 100 * MS, "status")]
        builder.request(*(work if number % 2 else reversed(work)), route="GET /else")
    connection = open_dataset(builder.write(tmp_path / "d.duckdb"))
    (advice,) = advise(connection, "d", filters=Filters(route="POST /chat"))
    assert advice.evidence[0].startswith("in 40 cases")
    assert advise(connection, "d", filters=Filters(route="GET /else"))[0].evidence[0].startswith("in 60 cases")


def test_stages_of_the_budget_decide_what_calls_are(tmp_path: Path) -> None:
    connection = open_dataset(tools(outputs=False).write(tmp_path / "d.duckdb"))
    budget = parse_budget('[stages.inference]\nmatch = [{ name = "find" }, { name = "status" }]')
    assert [one for one in advise(connection, "d", budget) if one.kind == "parallelise"] == []


def rows_of(calls: list[int], between: bool = False) -> DatasetBuilder:
    """Requests with so many queries in a row each; with a model call after each query where `between`."""
    random, builder = np.random.default_rng(5), DatasetBuilder()
    for count in calls:
        work = []
        for _ in range(count):
            work.append(Work("database", int(random.uniform(10, 30) * MS), "SELECT item"))
            work += [Work("inference", 30 * MS, "chat")] if between else []
        builder.request(*work)
    return builder


@pytest.mark.parametrize(
    ("calls", "between", "batched"),
    [
        ([2] * 80 + [12] * 20, False, True),  # a share of the requests loops, the others make two calls
        ([2] * 81 + [12] * 19, False, False),  # too few to tell
        ([2] * 80 + [4] * 20, False, False),
        ([2] * 80 + [12] * 20, True, False),  # not in a row: a loop around a model
    ],
)
def test_calls_are_batched_where_a_share_of_the_requests_loops(
    calls: list[int], between: bool, batched: bool, tmp_path: Path
) -> None:
    connection = open_dataset(rows_of(calls, between).write(tmp_path / "d.duckdb"))
    assert ("batch_calls" in {one.kind for one in advise(connection, "d")}) == batched


@pytest.mark.parametrize(("turns", "kinds"), [(12, ["shorten_prompt"]), (3, [])])
def test_prompts_that_grow_turn_by_turn_are_to_be_shorter(turns: int, kinds: list[str], tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    builder = DatasetBuilder()
    for number in range(240):
        tokens = int(800 * (1 + number % turns) * random.uniform(0.9, 1.1))
        said = {
            "gen_ai.usage.input_tokens": str(tokens),
            "gen_ai.usage.output_tokens": str(int(random.uniform(95, 105))),
        }
        builder.request(Work("inference", 100 * MS + tokens * MS // 10, "chat", attributes=said))
    found = advise(open_dataset(builder.write(tmp_path / "d.duckdb")), "d")
    assert [one.kind for one in found] == kinds
    for one in found:
        assert "at p10" in one.evidence[0]


@pytest.mark.parametrize(("cold_ms", "kinds"), [(900, ["cold_start"]), (70, [])])
def test_cold_starts_are_told_without_a_promise(cold_ms: int, kinds: list[str], tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    builder = DatasetBuilder()
    for number in range(200):
        cold = number % 10 == 0
        took = int(random.uniform(0.8, 1.2) * (cold_ms if cold else 60) * MS)
        builder.request(Work("inference", took, "answer", attributes={"faas.coldstart": str(cold).lower()}))
    found = advise(open_dataset(builder.write(tmp_path / "d.duckdb")), "d")
    assert [one.kind for one in found if one.kind == "cold_start"] == kinds
    for one in found:
        assert (one.effect, one.changes, one.bound) == ((), (), None)
        assert one.command == "overbudget tail d"
        assert "20 of 200 calls are cold starts" in one.evidence[0]


def test_healthy_requests_are_told_nothing_of_hedges_and_cold_starts(tmp_path: Path) -> None:
    connection = open_dataset(rows_of([3] * 60).write(tmp_path / "d.duckdb"))
    assert advise(connection, "d") == []


def talking(growth: int) -> DatasetBuilder:
    """Forty conversations of eight turns whose prompts grow by `growth` tokens a turn; each token read takes 0.2 ms."""
    random, builder = np.random.default_rng(7), DatasetBuilder()
    for number in range(40):
        for turn in range(8):
            prompt = int(2_000 + growth * turn + random.integers(-150, 150))
            first = round((150 + 0.2 * prompt) * MS * random.uniform(0.95, 1.05))
            attributes = {
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": "mist",
                "gen_ai.usage.input_tokens": str(prompt),
                "gen_ai.usage.output_tokens": str(int(random.integers(50, 90))),
            }
            told = {"first_token_ns": first, "writing_ns": 500 * MS}
            work = Work("inference", first + 500 * MS, "chat mist", attributes=attributes, call=told)
            builder.request(work, conversation_id=f"c{number}", model="mist")
    return builder


def test_prompts_that_grow_with_the_turn_are_evidence_for_shorter_ones(tmp_path: Path) -> None:
    found = advise(open_dataset(talking(900).write(tmp_path / "talk.duckdb")), "talk.duckdb")
    (one,) = [advice for advice in found if advice.kind == "shorten_prompt"]
    assert re.match(r"prompts grow by 9\d\d|prompts grow by 8[89]\d", one.evidence[0])
    assert re.search(r"turn 8 costs 1\.\d+ s more to its first token \(40 conversations\)", one.evidence[0])
    assert one.command.startswith("overbudget whatif talk.duckdb --tokens 'input<=")


def test_prompts_that_do_not_grow_are_no_reason_to_shorten_them(tmp_path: Path) -> None:
    found = advise(open_dataset(talking(0).write(tmp_path / "talk.duckdb")), "talk.duckdb")
    assert [advice for advice in found if advice.kind == "shorten_prompt"] == []
