"""Which requests of two sides are alike, and what each of the base counts for."""

import numpy as np
import pytest

from overbudget.analysis.compare.mix import Kind, mix


def of(route: str = "GET /", **shapes: int) -> list[Kind]:
    return [(route, shape) for shape, count in shapes.items() for _ in range(count)]


def test_shapes_weigh_as_in_the_candidate() -> None:
    found = mix(of(a=60, b=40), of(a=55, b=45))
    assert found.weights.tolist() == pytest.approx([0.55 / 60] * 60 + [0.45 / 40] * 40)
    assert found.candidate_weights.tolist() == [0.01] * 100


@pytest.mark.parametrize(("after", "weight"), [(70, 0.7 / 50), (71, 0.01)])
def test_where_a_shape_is_more_frequent_beyond_chance_shapes_are_not_kept_apart(after: int, weight: float) -> None:
    found = mix(of(a=50, b=50), of(a=after, b=100 - after))
    assert found.weights[0] == pytest.approx(weight)
    assert found.weights.sum() == pytest.approx(1)


def test_a_shape_that_is_gone_moves_as_well() -> None:
    found = mix(of(a=40, b=45, gone=15), of(a=48, b=52))
    assert len(found.base) == 100
    assert found.weights.tolist() == pytest.approx([0.01] * 100)


@pytest.mark.parametrize(("new", "rows"), [(5, 95), (6, 100)])
def test_shapes_are_kept_apart_where_both_sides_have_those_of_95_in_100(new: int, rows: int) -> None:
    found = mix(of(a=100), of(a=100 - new, new=new))
    assert len(found.candidate) == rows
    assert found.candidate_weights.tolist() == pytest.approx([1 / rows] * rows)


def test_a_route_of_one_side_is_not_compared() -> None:
    found = mix(of(a=2) + of("GET /old", a=3), of("GET /new", a=1) + of(a=4))
    assert (found.base.tolist(), found.candidate.tolist()) == ([0, 1], [1, 2, 3, 4])
    assert (found.weights.tolist(), found.candidate_weights.tolist()) == ([0.5, 0.5], [0.25] * 4)


def test_a_request_counts_for_as_many_as_it_stands_for() -> None:
    found = mix(of(a=2), of(a=2), np.array([1.0, 3.0]), np.array([2.0, 8.0]))
    assert (found.weights.tolist(), found.candidate_weights.tolist()) == ([0.25, 0.75], [0.2, 0.8])


def test_of_no_requests_nothing_is_compared() -> None:
    found = mix([], of(a=1))
    assert [len(part) for part in (found.base, found.candidate, found.weights, found.candidate_weights)] == [0] * 4
