"""How predictable latency is: spreads, windows over budget, modes, models, and the way to a good answer."""

from pathlib import Path

import numpy as np
import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.consistency.bimodality import two_modes
from overbudget.analysis.consistency.consistency import Consistency, consistency
from overbudget.analysis.requests.table import Filters
from overbudget.store.dataset import open_dataset
from tests.dataset_builder import MS, DatasetBuilder, S, Work

START = 1_790_000_000 * S


def told(tmp_path: Path, builder: DatasetBuilder, budget: str | None = None) -> Consistency:
    connection = open_dataset(builder.write(tmp_path / "d.duckdb"))
    return consistency(connection, parse_budget(budget) if budget else None)


def two_models(n: int = 300) -> DatasetBuilder:
    """An erratic model, fast but for one call in six, beside a steady one; the steady one is right more often."""
    builder = DatasetBuilder()
    for number in range(n):
        big = number % 2 == 0
        ns = (3000 if number % 12 == 0 else 400) if big else 700
        attributes = {"gen_ai.usage.cost": "0.02" if big else "0.005"}
        builder.request(
            Work("retrieval", (50 + number % 7) * MS),
            Work("inference", (ns + number % 5) * MS, attributes=attributes),
            model="big" if big else "steady",
            good=number % 10 != 0 if big else True,
            input_tokens=100,
            output_tokens=20,
        )
    return builder


def test_the_model_table_sets_spread_against_share_in_budget_and_good_answers(tmp_path: Path) -> None:
    found = told(tmp_path, two_models(), "[budget]\np95 = '1s'")
    big, steady = found.models
    assert (big.name, steady.name) == ("big", "steady")
    assert (big.requests, steady.requests) == (150, 150)
    assert big.p95_over_p50 is not None
    assert big.p95_over_p50 > 6
    assert steady.p95_over_p50 is not None
    assert steady.p95_over_p50 < 1.1
    assert (big.within_budget, steady.within_budget) == (pytest.approx(125 / 150), 1)
    assert (big.good, steady.good) == (pytest.approx(0.8), 1)
    assert (big.cost, big.input_tokens, big.output_tokens) == (pytest.approx(0.02), 100, 20)
    assert big.inference_p50_ns < steady.inference_p50_ns


def test_two_humps_are_named_with_their_tops(tmp_path: Path) -> None:
    big, steady = told(tmp_path, two_models()).models
    assert steady.bimodal is None
    assert big.bimodal is not None
    assert big.bimodal.fast_ns == pytest.approx(455 * MS, rel=0.05)
    assert big.bimodal.slow_ns == pytest.approx(3055 * MS, rel=0.05)
    assert big.bimodal.slow_share == pytest.approx(1 / 6, abs=0.01)


def test_windows_over_budget_are_those_of_the_bad_hour(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for number in range(800):  # 20 windows of 40 requests; the 5th to 7th are slow
        slow = 4 <= number // 40 <= 6
        builder.request(Work("inference", (2000 if slow else 500) * MS), start_ns=START + number * 10 * S)
    found = told(tmp_path, builder, "[budget]\np95 = '1s'\n[stages.inference]\np95 = '1s'")
    assert found.total is not None
    assert (found.total.windows, found.total.windows_over_budget) == (20, 3)
    assert [number for number, window in enumerate(found.windows) if window.over] == [4, 5, 6]
    assert [hour.requests for hour in found.hours]
    assert sum(hour.requests for hour in found.hours) == 800
    inference = next(stage for stage in found.stages if stage.name == "inference")
    assert inference.windows_over_budget == 3


def test_what_too_few_requests_cannot_tell_is_left_open(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for _ in range(30):
        builder.request(Work("inference", S))
    found = told(tmp_path, builder, "[budget]\np95 = '2s'")
    assert found.total is not None
    assert (found.total.p95_ns, found.total.p99_ns, found.total.p95_over_p50) == (None, None, None)
    assert found.total.within_budget == 1
    assert told(tmp_path, DatasetBuilder()).total is None


def test_a_conversation_takes_until_its_first_good_answer(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    #          a: bad, good       b: good       c: bad        d: not judged
    for who, at, good in (("a", 0, False), ("b", 5, True), ("a", 10, True), ("c", 20, False), ("d", 30, None)):
        said = {"good": good, "conversation_id": who}
        builder.request(Work("inference", 2 * S), start_ns=START + at * S, **said)
    talks = told(tmp_path, builder).conversations
    assert talks is not None
    assert (talks.conversations, talks.reached, talks.asks) == (3, 2, 1.5)
    assert talks.p50_ns is None  # of two conversations nothing is known


def test_many_conversations_have_a_median(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for number in range(20):
        builder.request(
            Work("inference", S), good=False, conversation_id=str(number), start_ns=START + number * 100 * S
        )
        late = START + (number * 100 + 9) * S
        builder.request(Work("inference", S), good=True, conversation_id=str(number), start_ns=late)
    talks = told(tmp_path, builder).conversations
    assert talks is not None
    assert talks.p50_ns == 10 * S


def ns(values: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    return (values * MS).astype(np.int64)


def test_one_hump_however_skewed_is_never_called_two_but_once_in_fifty() -> None:
    random = np.random.default_rng(7)
    alarms = 0
    for _ in range(20):
        for values in (
            random.lognormal(5, 0.5, 400),
            random.exponential(100, 400) + 1,
            random.uniform(10, 1000, 400),
            random.gamma(2, 100, 400) + 1,
            (random.pareto(2, 400) + 1) * 100,
        ):
            alarms += two_modes(ns(values)) is not None
    assert alarms <= 2


def test_two_clear_humps_are_found_where_they_are() -> None:
    random = np.random.default_rng(8)
    slow = random.random(1000) < 0.2
    modes = two_modes(ns(random.lognormal(np.log(100), 0.2, 1000) * np.where(slow, 5, 1)))
    assert modes is not None
    assert modes.fast_ns == pytest.approx(100 * MS, rel=0.1)
    assert modes.slow_ns == pytest.approx(500 * MS, rel=0.1)
    assert modes.slow_share == pytest.approx(slow.mean(), abs=0.03)


def test_constant_times_and_few_have_no_humps() -> None:
    assert two_modes(np.full(100, 5 * MS)) is None
    assert two_modes(ns(np.array([1.0, 100.0] * 10))) is None


def test_time_to_first_token_and_per_output_token_of_a_model(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for _ in range(100):
        call = Work("inference", 1100 * MS, attributes={"ttft_ms": "100", "gen_ai.usage.output_tokens": "101"})
        builder.request(call, rest_ns=50 * MS, model="m", ttft_ns=150 * MS)
    (model,) = told(tmp_path, builder).models
    assert (model.ttft_p50_ns, model.ttft_p95_ns) == (150 * MS, 150 * MS)
    assert (model.time_per_output_token_p50_ns, model.time_per_output_token_p95_ns) == (10 * MS, 10 * MS)


def test_tokens_of_a_model_are_timed_by_its_own_calls_of_the_requests_that_are_selected(tmp_path: Path) -> None:
    def call(ms: int, tokens: int) -> Work:
        return Work("inference", ms * MS, attributes={"ttft_ms": "100", "gen_ai.usage.output_tokens": str(tokens)})

    builder = DatasetBuilder()
    for _ in range(40):
        builder.request(call(300, 11), call(1, 1), model="m")  # one token: nothing to time
        builder.request(call(900, 11), model="m", route="POST /slow")
    with open_dataset(builder.write(tmp_path / "d.duckdb")) as connection:
        (model,) = consistency(connection, filters=Filters(route="POST /chat")).models
    assert model.time_per_output_token_p50_ns == 20 * MS
    assert model.ttft_p50_ns is None


def test_parts_of_a_stage_stand_below_it_with_their_own_spread_and_cap(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for number in range(100):
        told = {"first_token_ns": 50 * MS, "writing_ns": (100 + number) * MS}
        builder.request(Work("inference", sum(told.values()), "chat", call=told), Work("tools", 5 * MS))
    budget = parse_budget('[stages."inference.writing"]\np95 = "149ms"')
    found = consistency(open_dataset(builder.write(tmp_path / "parts.duckdb")), budget)
    names = [(one.name, one.part_of) for one in found.stages]
    place = names.index(("inference", None))
    assert names[place + 1 : place + 3] == [("inference.first_token", "inference"), ("inference.writing", "inference")]
    writing = found.stages[place + 2]
    assert (writing.p50_ns, writing.within_budget) == (round(149.5 * MS), 0.5)
