"""Clocks of other services, and time that passes between services."""

from tests.trace_picture import draw


def test_a_span_of_another_service_outside_its_parent_is_moved_to_its_middle() -> None:
    drawn = draw(
        """
        call     ....[==========]  @a client
          serve  [====]            @b server
            db   .[==]             @b
    """,
        skew=True,
    )
    assert drawn.times()["serve"] == (7, 13)
    assert drawn.times()["db"] == (8, 12)


def test_a_longer_span_is_moved_only_as_far_as_its_start_needs() -> None:
    assert draw(
        """
        call     ....[==]          @a client
          serve  [==========]      @b server
    """,
        skew=True,
    ).times()["serve"] == (4, 16)


def test_a_span_of_the_same_service_is_not_moved() -> None:
    assert draw(
        """
        work     ....[======]      @a
          late   .........[=====]  @a
    """,
        skew=True,
    ).times()["late"] == (9, 16)


def test_a_consumer_may_run_on_after_its_producer() -> None:
    assert draw(
        """
        send     [==]              @a producer
          work   ......[====]      @b consumer
    """,
        skew=True,
    ).times()["work"] == (6, 12)


def test_a_span_that_fits_is_not_moved() -> None:
    drawn = draw(
        """
        call     [==========]      @a client
          serve  .[====]           @b server
    """,
        skew=True,
    )
    assert not drawn.tree.skew.any()


def test_time_around_a_remote_child_is_a_hop_to_its_service() -> None:
    assert draw("""
        request  [============]    @a
          call   .[=======]        @a client
            s    ....[==]          @b server
    """).hops() == [("request", None), ("call", "b"), ("s", None), ("call", "b"), ("request", None)]


def test_of_several_remote_children_the_nearest_in_time_names_the_hop() -> None:
    assert draw("""
        call     [==============]  @a client
          s      ..[==]            @b server
          t      .........[==]     @c server
    """).hops() == [
        ("call", "b"),
        ("s", None),
        ("call", "c"),
        ("t", None),
        ("call", "c"),
    ]  # between two: on the way to the next


def test_a_call_without_a_remote_child_is_a_hop_to_what_it_names() -> None:
    assert draw("""
        request  [========]        @a
          query  ..[====]          @a client ->db-1
    """).hops() == [("request", None), ("query", "db-1"), ("request", None)]


def test_what_a_span_that_calls_nobody_names_is_no_hop() -> None:
    assert draw("""
        request  [========]        @a ->db-1
    """).hops() == [("request", None)]
