"""Calls that stand in a line, replayed: who is let in when, and what follows."""

import numpy as np
import pytest

from overbudget.kernels.columns import I64
from overbudget.kernels.replay import NodeChanges, Queues, graph_of, no_change, replay, shape_of
from tests.trace_picture import MS, draw

# `b` and `c` asked for the only server when `a` did, and began when it was given back.
PICTURE = """
request  [==============================]
  a      ..[====]
  b      ........[====]
  c      ..............[====]
"""
DRAWN = draw(PICTURE)
NODE = {DRAWN.name(node): node for node in range(4)}
LINE = np.array([-1, 0, 0, 0], np.int32)  # of a, b and c, as they are drawn


def shape():  # type: ignore[no-untyped-def]
    return shape_of(DRAWN.tree, DRAWN.request_of, DRAWN.tree.operation, np.zeros(4, bool))


def line(servers: int = 1, order: str = "abc", release_lag: int = 0, at_end: bool = False) -> Queues:
    """One line before the starts (or, where they wait within their own time, the ends) of a, b and c."""
    which = np.full(8, -1, np.int32)
    ready, delta, rank = np.zeros(8, np.int64), np.zeros(8, np.int64), np.zeros(8, np.int64)
    release, lag = np.full(8, -1, np.int32), np.full(8, release_lag * MS, np.int64)
    for name in "abc":
        event = 2 * NODE[name] + at_end
        which[event], rank[event], release[event] = 0, order.index(name), 2 * NODE[name] + 1
        ready[event], delta[event] = (0, 6 * MS) if at_end else (2 * MS, 0)
    return Queues(which, np.array([servers], np.int64), ready, delta, rank, release, lag)


def spans(found: I64) -> dict[str, tuple[int, int]]:
    """Start and end of each span in ms."""
    began = found[2 * NODE["request"]]
    return {name: tuple(int(t - began) // MS for t in found[2 * n : 2 * n + 2]) for name, n in NODE.items()}  # type: ignore[misc]


def replayed(queues: Queues, change: NodeChanges | None = None) -> dict[str, tuple[int, int]]:
    one = shape()
    line_of = np.full(4, -1, np.int32)
    for name in "abc":
        line_of[NODE[name]] = 0
    change = change or no_change(4)
    return spans(replay(one, graph_of(one, line_of=line_of), change, queues))


def scaled(**factors: float) -> NodeChanges:
    change = no_change(4)
    for name, factor in factors.items():
        change.factor[NODE[name]] = factor
    return change


def test_with_no_change_everybody_is_let_in_when_the_one_before_is_done() -> None:
    assert replayed(line()) == {"request": (0, 32), "a": (2, 8), "b": (8, 14), "c": (14, 20)}


@pytest.mark.parametrize(
    ("servers", "b", "c", "end"), [(2, (2, 8), (8, 14), 26), (3, (2, 8), (2, 8), 20), (9, (2, 8), (2, 8), 20)]
)
def test_more_servers_let_more_in_at_once(servers: int, b: tuple[int, int], c: tuple[int, int], end: int) -> None:
    assert replayed(line(servers)) == {"request": (0, end), "a": (2, 8), "b": b, "c": c}


def test_rank_decides_between_those_that_ask_at_the_same_time() -> None:
    assert replayed(line(order="cba")) == {"request": (0, 32), "a": (14, 20), "b": (8, 14), "c": (2, 8)}


def test_a_shorter_hold_lets_all_behind_it_in_earlier() -> None:
    assert replayed(line(), scaled(a=0.5)) == {"request": (0, 29), "a": (2, 5), "b": (5, 11), "c": (11, 17)}
    assert replayed(line(), scaled(c=0.5)) == {"request": (0, 29), "a": (2, 8), "b": (8, 14), "c": (14, 17)}


def test_a_server_that_is_given_back_late_is_free_late() -> None:
    assert replayed(line(release_lag=1)) == {"request": (0, 34), "a": (2, 8), "b": (9, 15), "c": (16, 22)}


def test_who_does_not_happen_stands_in_no_line() -> None:
    change = scaled(a=0.0)
    change.gone[NODE["a"]] = True
    assert replayed(line(), change) == {"request": (0, 26), "a": (0, 0), "b": (2, 8), "c": (8, 14)}


def test_who_waits_within_its_own_time_ends_when_it_has_had_its_turn() -> None:
    one = replayed(line(at_end=True))
    assert (one["a"][1], one["b"][1] - one["a"][1], one["c"][1] - one["b"][1]) == (8, 6, 6)
    other = replayed(line(at_end=True), scaled(b=0.5))
    assert other["a"] == one["a"]
    assert other["b"][1] == other["a"][1] + 3


def test_without_lines_siblings_follow_one_another_as_they_did() -> None:
    one = shape()
    assert spans(replay(one, graph_of(one), no_change(4))) == {
        "request": (0, 32),
        "a": (2, 8),
        "b": (8, 14),
        "c": (14, 20),
    }
