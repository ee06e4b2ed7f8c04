"""Attributes at the limits are kept as they are; above them they are cut, with a mark and a warning."""

import numpy as np
import pyarrow as pa
import pytest

from overbudget.ingest.formats.sizes import cut_lists, cut_values
from overbudget.ingest.report import FileReport
from overbudget.store.limits import VARIABLE


@pytest.fixture(autouse=True)
def low(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE + "VALUE_BYTES", "5")
    monkeypatch.setenv(VARIABLE + "ATTRIBUTES", "2")


def test_values_are_cut_between_characters_and_say_how_long_they_were() -> None:
    report = FileReport("x")
    values = pa.array(["", None, "12345", "123456", "1234é6"])
    assert cut_values(values, report).to_pylist() == [
        "", None, "12345", "12345 … [cut by overbudget: 6 bytes]", "1234 … [cut by overbudget: 7 bytes]",
    ]  # fmt: skip
    assert report.warnings["long_value"].count == 2
    assert "value of 7 bytes; the limit value_bytes is 5 bytes" in report.warnings["long_value"].example


def test_of_long_lists_the_first_entries_are_kept() -> None:
    report = FileReport("x")
    keys, values = pa.array(list("abcdefg")).dictionary_encode(), pa.array(list("1234567"))
    lists, keys, values = cut_lists(np.array([0, 1, 4, 4, 6, 7], np.int32), keys, values, report)
    assert lists.tolist() == [0, 1, 3, 3, 5, 6]
    assert (keys.to_pylist(), values.to_pylist()) == (list("abcefg"), list("123567"))
    assert report.warnings["many_attributes"].count == 1


@pytest.mark.parametrize("offsets", [[0], [0, 2], [0, 0, 2]])
def test_what_is_at_the_limit_is_kept(offsets: list[int]) -> None:
    report = FileReport("x")
    keys, values = pa.array(["a", "b"]).dictionary_encode(), pa.array(["1", "2"])
    same = cut_lists(np.array(offsets, np.int32), keys, values, report)
    assert (same[0].tolist(), same[1], same[2]) == (offsets, keys, values)
    assert cut_values(pa.array([], pa.string()), report).to_pylist() == []
    assert report.warnings == {}
