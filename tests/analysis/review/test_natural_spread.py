"""A loop that runs longer, or prompts that are larger, are no natural spread; load that stretches everything is."""

from pathlib import Path

import numpy as np

from overbudget.analysis.review.result import Breakdown
from overbudget.analysis.review.review import review
from overbudget.store.dataset import open_dataset
from tests.dataset_builder import MS, DatasetBuilder, Work


def at_p95(tmp_path: Path, requests: list[list[Work]], name: str = "d") -> Breakdown:
    builder = DatasetBuilder()
    for work in requests:
        builder.request(*work, rest_ns=5 * MS)
    found = review(open_dataset(builder.write(tmp_path / f"{name}.duckdb")), percentiles=(95,))
    return found.made_of(95)


def steps(model: list[float], tool: list[float]) -> list[Work]:
    """Model and tool calls in turn, in ms."""
    return [
        work
        for one, other in zip(model, tool, strict=True)
        for work in (Work("inference", round(one * MS), "chat"), Work("tools", round(other * MS), "execute_tool"))
    ]


def test_an_agent_that_loops_more_often_is_told_although_every_part_grows_alike(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    counts = [int(random.choice([2, 3, 4, 5])) if random.random() < 0.9 else 12 for _ in range(300)]
    loops = [steps(list(random.uniform(450, 550, k)), list(random.uniform(90, 110, k))) for k in counts]
    made_of = at_p95(tmp_path, loops)
    assert not made_of.natural_spread
    assert made_of.culprit is not None
    assert (made_of.culprit.stage, made_of.culprit.basis) == ("inference", "typical")
    operation = made_of.culprit.operation
    assert operation is not None
    assert operation.why is not None
    assert operation.why.how_often_ns > 0.9 * operation.excess_ns
    assert "calls a request instead of" in operation.why.sentence
    assert operation.why.sentence.endswith("each as long as before")


def test_counts_that_do_not_go_with_latency_are_no_reason(tmp_path: Path) -> None:
    """Numbers of steps vary, and so does how long requests take, one apart from the other."""
    alarms = 0
    for seed in range(20):
        random = np.random.default_rng(seed)
        requests = []
        for _ in range(200):
            load, k = random.lognormal(0, 0.5), int(random.integers(2, 9))
            requests.append(steps(list(2_000 * load / k * np.ones(k)), list(400 * load / k * np.ones(k))))
        alarms += not at_p95(tmp_path, requests, f"{seed}").natural_spread
    assert alarms <= 1


def test_calls_that_each_take_longer_are_the_natural_spread(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    requests = [steps([500 * load] * 4, [100 * load] * 4) for load in random.lognormal(0, 0.4, 300)]
    assert at_p95(tmp_path, requests).natural_spread


def test_a_few_more_calls_among_much_else_that_grows_alike_are_too_little_a_part(tmp_path: Path) -> None:
    """Four calls in place of three make a quarter of what slow requests take more."""
    random = np.random.default_rng(4)
    requests = []
    for load in random.lognormal(0, 0.4, 300):
        k = 4 if load > 1.5 else 3
        requests.append(steps([1_500 * load / 3] * k, [300 * load / 3] * k))
    made_of = at_p95(tmp_path, requests)
    assert made_of.natural_spread == (made_of.culprit is None)
    if made_of.culprit is not None:
        assert made_of.culprit.operation is not None
        assert made_of.culprit.operation.why is not None
        growth = sum(stage.overrun_ns for stage in made_of.stages)
        assert made_of.culprit.operation.why.how_often_ns >= growth / 3
