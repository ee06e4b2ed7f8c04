"""What an answer is worth, at the edges."""

import pytest

from bench.worlds.score import Mark, Score, placed, predicted

RIGHT, PARTLY, WRONG, MISLEADING = Score


@pytest.mark.parametrize(
    ("found", "score"),
    [
        ([], WRONG), (["a"], RIGHT), (["a", "b"], RIGHT), (["b", "a"], PARTLY), (["b", "c", "a"], PARTLY),
        (["b", "c", "d", "a"], MISLEADING), (["b"], MISLEADING),
    ],
)  # fmt: skip
def test_a_place_among_the_first_three_is_worth_something(found: list[object], score: Score) -> None:
    assert placed(found, {"a"}) == score


@pytest.mark.parametrize(
    ("told", "bound", "doubted", "score"),
    [
        (1000, None, False, RIGHT), (1050, None, False, RIGHT), (950, None, False, RIGHT),
        (1051, None, False, MISLEADING), (949, None, False, MISLEADING), (1051, None, True, PARTLY),
        (1250, "at_most", True, RIGHT), (1251, "at_most", True, PARTLY), (949, "at_most", True, MISLEADING),
        (750, "at_least", True, RIGHT), (749, "at_least", True, PARTLY), (1051, "at_least", True, MISLEADING),
        (1020, "at_least", True, RIGHT),
    ],
)  # fmt: skip
def test_a_prediction_of_1000_is_right_within_5_percent_or_as_a_bound_within_25(
    told: int, bound: str | None, doubted: bool, score: Score
) -> None:
    assert predicted([told], [1000], bound, doubted) == score


def test_the_worst_percentile_decides() -> None:
    assert predicted([1000, 1000, 1200], [1000, 1000, 1000], None, False) == MISLEADING
    assert predicted([1000, 900, 1200], [1000, 1000, 1000], "at_most", True) == MISLEADING
    assert predicted([1000, 1000, 1200], [1000, 1000, 1000], "at_most", True) == RIGHT


def test_a_truth_of_nothing_is_no_division_by_zero() -> None:
    assert predicted([0], [0], None, False) == RIGHT
    assert predicted([7], [0], None, False) == MISLEADING


def test_a_mark_says_how_to_see_it_again() -> None:
    assert Mark("pod pauses", 3, "why", WRONG).command == 'python -m bench.accuracy --world "pod pauses" --seed 3'
    assert Mark("pool", 1, "why", WRONG).command == "python -m bench.accuracy --world pool --seed 1"
