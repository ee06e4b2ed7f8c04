"""An answer is kept within its limits, and what was left out is counted."""

import decimal
from collections.abc import Iterator
from typing import Any

import pytest

from overbudget.app.server.questions.bounded_answer import Bounds, LeftOut, bounded, distinct, left_out, said_of

WIDE = Bounds(rows=100, columns=100, bytes=1 << 20, cell=100)


def limited(**bounds: int) -> Bounds:
    return Bounds(**{**WIDE.__dict__, **bounds})


@pytest.mark.parametrize(("rows", "more"), [(0, False), (1, False), (3, False), (4, True)])
def test_rows_at_the_limit_are_all_there_and_one_beyond_it_is_said(rows: int, more: bool) -> None:
    table = bounded(["a"], [(i,) for i in range(rows)], limited(rows=3))
    assert table.num_rows == min(rows, 3)
    assert left_out(table) == LeftOut(rows=more)


def test_rows_are_read_no_further_than_one_beyond_the_limit() -> None:
    def endless() -> Iterator[tuple[int]]:
        number = 0
        while True:
            yield (number,)
            number += 1

    rows = endless()
    assert bounded(["a"], rows, limited(rows=3)).num_rows == 3
    assert next(rows) == (4,)


def test_an_answer_ends_with_the_row_that_passes_its_bytes() -> None:
    exactly = bounded(["a"], [("x" * 92,)] * 10, limited(bytes=1000))  # 100 bytes a row
    assert left_out(exactly) == LeftOut()
    over = bounded(["a"], [("x" * 93,)] * 20, limited(bytes=1000))
    assert over.num_rows == 10
    assert left_out(over) == LeftOut(rows=True, too_large=True)


def test_characters_beyond_the_limit_of_a_cell_are_cut_with_a_mark() -> None:
    table = bounded(["a", "b"], [("é" * 5, "é" * 6), ("", None)], limited(cell=5))
    assert table.to_pylist() == [{"a": "ééééé", "b": "ééééé… (6 characters)"}, {"a": "", "b": None}]
    assert left_out(table) == LeftOut(cells=1)


def test_nested_values_are_cut_as_text() -> None:
    table = bounded(["a"], [({"k": "v" * 50},)], limited(cell=10))
    assert table["a"].to_pylist() == ['{"k": "vvv… (59 characters)']


def test_columns_and_long_names_beyond_the_limit_are_left_out() -> None:
    table = bounded(["a", "b" * 9, "c"], [(1, 2, 3)], limited(columns=2, cell=5))
    assert table.column_names == ["a", "bbbbb… (9 characters)"]
    assert left_out(table) == LeftOut(columns=1)


@pytest.mark.parametrize(
    ("cells", "kept"),
    [
        ([1, None], [1, None]),
        ([2**63, 1], ["9223372036854775808", "1"]),
        ([decimal.Decimal("1.50"), decimal.Decimal(2)], [1.5, 2.0]),
        ([True, False], [True, False]),
        ([None, None], [None, None]),
        ([1, "a"], ["1", "a"]),
        ([float("nan"), float("inf")], [None, None]),
    ],
)
def test_a_column_has_one_type(cells: list[Any], kept: list[Any]) -> None:
    assert bounded(["a"], [(cell,) for cell in cells], WIDE)["a"].to_pylist() == kept


def test_names_that_come_twice_are_numbered_and_meet_no_other() -> None:
    assert distinct(["a", "a", "a (2)", "a"]) == ["a", "a (2)", "a (2) (2)", "a (3)"]


def test_what_is_left_out_is_said_with_the_limit() -> None:
    assert said_of(bounded(["a"], [(1,)], WIDE)) == ["1 row."]
    said = " ".join(said_of(bounded(["a", "b"], [("x" * 9, 1)] * 4, limited(rows=3, columns=1, cell=5))))
    assert "The first 3 rows of more (the limit query_rows)." in said
    assert "1 column more left out" in said
    assert "3 cells cut" in said
    assert said.endswith("overbudget sql --csv on the command line gives all.")
    large = said_of(bounded(["a"], [("x" * 9,)] * 4, limited(bytes=20)))
    assert large[0].startswith("The first 2 rows of more: the answer would be larger than 10 MB")
