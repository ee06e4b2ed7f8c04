"""docs/accuracy.md is what was measured, its misses first of all."""

from bench.accuracy.measure import QUICK, Measured
from bench.accuracy.real import RealFault
from bench.accuracy.report import ASKED, page
from bench.accuracy.statistics import Cover, Rate
from bench.worlds.mechanisms import WORLDS
from bench.worlds.questions import ASKED as QUESTIONS_ASKED
from bench.worlds.score import QUESTIONS, Mark, Score


def measured() -> Measured:
    marks = [
        Mark("pool", 1, "culprit", Score.RIGHT),
        Mark("pool", 2, "culprit", Score.MISLEADING, "told a | b; is c"),
        Mark("lock", 1, "culprit", Score.WRONG, "told nothing"),
        Mark("lock", 1, "silence", Score.RIGHT),
    ]
    rates = [Rate("seen", 10, 0.7, 0.8), Rate("false", 10, 0.04, 0.05, most=True)]
    return Measured(QUICK, 1, marks, rates, [Cover(0.9, 1000, 50, 0.5, 0.94, 1.2), Cover(0.98, 1000, 50, 0.0, 0, 0)])


def test_shares_are_of_what_was_asked() -> None:
    assert "| culprit | 3 | 33.3% | 0.0% | 33.3% | 33.3% | 95% |" in page(measured())
    assert "| pool |  | 1/2 |" in page(measured())


def test_every_miss_is_listed_with_its_command_the_misleading_first() -> None:
    misses = page(measured()).split("## Misses")[1].strip().splitlines()
    assert misses == [
        "- misleading culprit, `python -m bench.accuracy --world pool --seed 2`: told a / b; is c",
        "- wrong culprit, `python -m bench.accuracy --world lock --seed 1`: told nothing",
    ]


def test_an_aim_that_is_missed_says_so() -> None:
    assert "| seen | 10 | 70.0% | ≥ 80% (missed) |" in page(measured())
    assert "| false | 10 | 4.0% | ≤ 5% |" in page(measured())


def test_an_interval_that_is_never_told_covers_nothing() -> None:
    assert "| 0.98 | 1,000 | p50 | 0.0% |  |  |" in page(measured())


def test_real_faults_are_there_where_they_were_measured() -> None:
    found = measured()
    assert "Real faults" not in page(found)
    found.real = [RealFault("00", "delay", "a", "slower", 1, "a"), RealFault("01", "delay", "b", "same", 2, "a")]
    assert "Of 2 faults the faulty service is first in 1; 1 are called as fast as before, or faster." in page(found)


def test_every_question_and_mechanism_says_what_it_is() -> None:
    assert set(ASKED) == set(QUESTIONS) == set(QUESTIONS_ASKED)
    assert all(world.about for world in WORLDS.values())
