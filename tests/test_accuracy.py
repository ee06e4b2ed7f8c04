"""A few of the random worlds of `make accuracy`, in every run of the tests; the table is made of hundreds."""

import pytest

from bench.accuracy import CLOSE, Score, rows, score
from bench.worlds import WorldChange, draw_world, run

WORLDS = range(1000, 1012)


@pytest.fixture(scope="module")
def found() -> list[Score]:
    return [score(seed) for seed in WORLDS]


def test_at_most_one_world_in_twelve_is_misjudged(found: list[Score]) -> None:
    for what in ("stage", "operation", "quiet", "attribute", "same", "faulty", "sick"):
        answers = [getattr(one, what) for one in found if getattr(one, what) is not None]
        assert len(answers) >= 3, what
        assert answers.count(False) <= 1, what


def test_predictions_come_true(found: list[Score]) -> None:
    errors = {(one.seed, kind): error for one in found for kind, error in one.errors.items()}
    assert {kind for _, kind in errors} == {"scale", "cap", "parallel", "cache", "retries"}
    assert {at: error for at, error in errors.items() if error > CLOSE} == {}


def test_a_world_and_its_counterfactual_differ_in_the_change_alone() -> None:
    world = draw_world(1000, faulty=False)
    usual, unchanged = (
        run(world, spans=False),
        run(world, WorldChange("scale", ("no such operation",), 0.5), spans=False),
    )
    assert (usual.latency_ns == unchanged.latency_ns).all()
    name = world.operations[0].name
    faster = run(world, WorldChange("scale", (name,), 0.5), spans=False)
    assert (faster.latency_ns <= usual.latency_ns).all()
    assert (faster.latency_ns < usual.latency_ns).any()


def test_a_fault_slows_those_it_is_meant_for_and_nobody_else() -> None:
    well, ill = (run(draw_world(1001, faulty), spans=False) for faulty in (False, True))
    assert 0 < ill.hit.sum() < len(ill.hit)
    assert (ill.latency_ns[~ill.hit] == well.latency_ns[~ill.hit]).all()
    assert (ill.latency_ns[ill.hit] >= well.latency_ns[ill.hit]).all()


def test_the_table_shows_a_wrong_answer() -> None:
    right, wrong = Score(1, stage=True, errors={"cap": 0.0}), Score(2, stage=False, errors={"cap": 0.5})
    table = {text: share for text, _, share, _ in rows([right, wrong])}
    assert table["the culprit at p95 is the injected stage"] == 0.5
    assert next(share for text, share in table.items() if text.startswith("what-if cap")) == 0.5
