"""What a span may have waited for: its children, and what is handed up to it."""

import numpy as np

from overbudget.kernels.columns import PRODUCER, Tree
from overbudget.kernels.path_items import outliving_ancestor, path_items, sending_ancestor, without_background
from tests.trace_picture import MS, Drawn, draw


def items(drawn: Drawn) -> dict[str, list[tuple[str, int, bool]]]:
    """By span: (item, begin ms, detached), sorted."""
    kind = drawn.operations.kind[drawn.tree.operation]
    first, item = path_items(drawn.tree, kind, drawn.request_of)
    return {
        drawn.name(span): sorted(
            (drawn.name(one["node"]), int(one["begin"] - drawn.origin) // MS, bool(one["detached"]))
            for one in item[first[span] : first[span + 1]]
        )
        for span in range(len(drawn.tree.row))
        if first[span + 1] > first[span]
    }


def test_children_are_items_of_their_parent_alone() -> None:
    assert items(
        draw("""
        request  [========]
          a      .[====]
            b    ..[=]
    """)
    ) == {"request": [("a", 1, False)], "a": [("b", 2, False)]}


def test_a_child_of_no_length_is_no_item() -> None:
    assert (
        items(
            draw("""
        request  [========]
          point  ...|
    """)
        )
        == {}
    )


def test_what_runs_past_its_parent_is_an_item_of_the_next_ancestor_from_the_parents_end_on() -> None:
    assert items(
        draw("""
        request  [==========]
          a      [====]
            b    ..[=====]
    """)
    ) == {"request": [("a", 0, False), ("b", 6, False)], "a": [("b", 2, False)]}


def test_an_ancestor_that_ended_before_is_passed_over() -> None:
    assert items(
        draw("""
        request  [==========]
          a      [==]
            b    [====]
              c  .[======]
    """)
    ) == {
        "request": [("a", 0, False), ("b", 4, False), ("c", 6, False)],
        "a": [("b", 0, False)],
        "b": [("c", 1, False)],
    }


def test_what_starts_when_its_parent_has_ended_is_an_item_of_the_ancestor_that_still_runs() -> None:
    assert items(
        draw("""
        request  [==========]
          a      [==]
            b    ....[==]
    """)
    ) == {"request": [("a", 0, False), ("b", 4, False)]}


def test_what_runs_past_the_request_is_an_item_up_to_the_entry_span() -> None:
    assert items(
        draw("""
        request  [====]
          a      [==]
            b    .[==========]
    """)
    ) == {"request": [("a", 0, False), ("b", 4, False)], "a": [("b", 1, False)]}


def test_what_a_producer_sent_off_is_detached_for_it_and_all_above_but_not_below() -> None:
    drawn = draw("""
        request  [==============]
          send   [==]            producer
            work ..[=====]       consumer
              io ...[======]
    """)
    assert items(drawn) == {
        "request": [("io", 9, True), ("send", 0, False), ("work", 4, True)],
        "send": [("work", 2, True)],
        "work": [("io", 3, False)],
    }
    kind = drawn.operations.kind[drawn.tree.operation]
    assert sending_ancestor(drawn.tree.parent, drawn.tree.downwards, kind).tolist() == [-1, -1, 1, 1]
    assert (kind == PRODUCER).sum() == 1


def test_the_outliving_ancestor_ends_strictly_later() -> None:
    tree = draw("""
        request  [==========]
          a      [====]
            b    [====]
              c  [===]
    """).tree
    later = outliving_ancestor(tree.parent, tree.end, tree.downwards, np.zeros(4, np.int32))
    assert later.tolist() == [-1, 0, 0, 2]


def without(drawn: Drawn, *names: str) -> tuple[Tree, np.ndarray]:  # type: ignore[type-arg]
    background = np.array([drawn.name(node) in names for node in range(len(drawn.tree.row))])
    return without_background(drawn.tree, drawn.request_of, drawn.requests.entry, background)


def test_children_of_a_background_span_are_handed_up_and_it_is_in_no_request() -> None:
    drawn = draw("""
        request  [==========]
          beat   [=========]
            tick [=======]
              a  ..[==]
    """)
    tree, request_of = without(drawn, "beat", "tick")
    assert tree.parent.tolist() == [-1, 0, 0, 0]
    assert request_of.tolist() == [0, -1, -1, 0]


def test_an_entry_span_is_never_in_the_background() -> None:
    drawn = draw("""
        request  [==========]
          a      ..[==]
    """)
    tree, request_of = without(drawn, "request")
    assert tree.parent.tolist() == [-1, 0]
    assert request_of.tolist() == [0, 0]
