"""Content hashes, ids, coded texts, counters and sorted children: the parts that every kernel stands on."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overbudget.ingest.batch import ATTRIBUTES
from overbudget.kernels.arrow import Coded, coded, flags, numbers, row_of
from overbudget.kernels.children import FEW, children_by, sort_nodes
from overbudget.kernels.content_hash import codes_of, hash_bytes, hash_lists, hash_strings, one_chunk
from overbudget.kernels.hex_ids import parse_ids
from overbudget.kernels.mix import mix, mixed
from overbudget.kernels.tally import FREE, grown, slot_of, tally

ALL = 2**64


def reference_mix(h: int) -> int:
    """SplitMix64's finaliser in whole numbers."""
    h = (h ^ (h >> 30)) * 0xBF58476D1CE4E5B9 % ALL
    h = (h ^ (h >> 27)) * 0x94D049BB133111EB % ALL
    return h ^ (h >> 31)


def reference_hash(text: bytes) -> int:
    """FNV-1a, then mixed, in whole numbers."""
    h = 0xCBF29CE484222325
    for byte in text:
        h = (h ^ byte) * 0x100000001B3 % ALL
    return reference_mix(h)


@given(st.integers(0, ALL - 1))
def test_bits_are_mixed_as_published(h: int) -> None:
    with np.errstate(over="ignore"):
        assert int(mix(np.uint64(h))) == reference_mix(h)


@pytest.mark.parametrize(
    ("text", "known"), [(b"", 0xCBF29CE484222325), (b"a", 0xAF63DC4C8601EC8C), (b"foobar", 0x85944171F73967E8)]
)
def test_the_hash_of_bytes_is_fnv1a_mixed(text: bytes, known: int) -> None:
    data = np.frombuffer(b"x" + text + b"y", np.uint8)
    with np.errstate(over="ignore"):
        assert int(hash_bytes(data, 1, 1 + len(text))) == reference_mix(known) == reference_hash(text)


@given(st.lists(st.text(max_size=5) | st.none(), max_size=8), st.integers(0, 3))
def test_texts_hash_by_content_wherever_they_stand(texts: list[str | None], skipped: int) -> None:
    expected = [reference_hash((text or "").encode()) for text in texts]
    column = pa.array([*["before"] * skipped, *texts], pa.string()).slice(skipped)
    with np.errstate(over="ignore"):
        assert hash_strings(column).tolist() == expected
        assert hash_strings(column.dictionary_encode()).tolist() == expected
        assert hash_strings(pa.chunked_array([column.slice(0, 1), column.slice(1)])).tolist() == expected


def attributes(*lists: dict[str, str | None]) -> pa.Array:
    rows = [[{"key": key, "value": value} for key, value in one.items()] for one in lists]
    return pa.array(rows, ATTRIBUTES)


def test_attribute_lists_hash_by_content_and_not_by_order() -> None:
    lists = attributes(
        {"a": "1", "b": "2"}, {"b": "2", "a": "1"}, {"a": "2", "b": "1"}, {}, {"a": "1"}, {"a": "1", "c": "2"}
    )
    with np.errstate(over="ignore"):
        one, same, swapped, empty, shorter, other = hash_lists(lists).tolist()
        assert hash_lists(lists.slice(1, 2)).tolist() == [same, swapped]
        assert hash_lists(attributes({}, {})).tolist() == [0, 0]
    assert one == same
    assert empty == 0
    assert len({one, swapped, empty, shorter, other}) == 5


def test_a_null_has_no_code() -> None:
    assert codes_of(pa.array(["a", None, "b", "a"]).dictionary_encode()).tolist() == [0, -1, 1, 0]
    assert one_chunk(pa.chunked_array([["a"], ["b"]])).to_pylist() == ["a", "b"]


@pytest.mark.parametrize("value", [0, 9, 10, 0x123456789ABCDEF0, ALL - 1])
def test_ids_are_read_as_numbers(value: int) -> None:
    assert parse_ids(pa.array([f"{value:016x}"])).tolist() == [value]
    assert parse_ids(pa.array([f"{7:016x}{value:016x}"]), 16).tolist() == [value]


def test_an_id_that_is_too_short_or_missing_is_nothing() -> None:
    assert parse_ids(pa.array(["abc", None, f"{5:016x}"])).tolist() == [0, 0, 5]
    assert parse_ids(pa.array([f"{1:016x}", f"{1:031x}"]), 16).tolist() == [0, 0]
    assert parse_ids(pa.array([], pa.string())).tolist() == []


def test_columns_of_numbers_also_without_rows() -> None:
    assert numbers(pa.chunked_array([[1, 2], [3]])).tolist() == [1, 2, 3]
    assert numbers(pa.chunked_array([], pa.int16())).dtype == np.int16
    assert flags(pa.chunked_array([pa.array([0, 1, 1], pa.int8())])).tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("texts", "codes", "names"),
    [
        (["b", "a", "b"], [0, 1, 0], ("b", "a")),
        (["", "a", ""], [-1, 0, -1], ("a",)),
        (["a", "", "b"], [0, -1, 1], ("a", "b")),
        ([], [], ()),
    ],
)
def test_texts_become_codes_and_no_text_minus_one(texts: list[str], codes: list[int], names: tuple[str, ...]) -> None:
    found = coded(pa.chunked_array([pa.array(texts, pa.string())]), none="")
    assert (found.codes.tolist(), found.names) == (codes, names)


def test_a_choice_of_texts_and_of_none() -> None:
    column = Coded(np.array([0, 1, -1, 1], np.int32), ("a", "b"))
    assert column.among("b").tolist() == [False, True, False, True]
    assert column.among("").tolist() == [False, False, True, False]
    assert column.among(["a", ""]).tolist() == [True, False, True, False]
    assert column.count().tolist() == [1, 2]
    assert column.take(np.array([3, 2])).codes.tolist() == [1, -1]


def test_the_row_of_a_number_that_is_not_there_is_minus_one() -> None:
    here = np.array([5, 2, 9], np.int32)
    assert row_of(here, np.array([9, 5, 3, 12, 2], np.int32)).tolist() == [2, 0, -1, -1, 1]
    assert row_of(here, np.zeros(0, np.int32)).tolist() == []
    assert row_of(np.zeros(0, np.int32), here).tolist() == [-1, -1, -1]


@given(st.lists(st.integers(0, 40), max_size=60))
def test_a_tally_counts_also_after_it_grew(keys: list[int]) -> None:
    with np.errstate(over="ignore"):
        table, counts = tally(2)
        assert (table.size, counts.shape, bool((table == FREE).all())) == (1024, (1024, 2), True)
        table, counts = table[:64].copy(), counts[:64].copy()
        for key in keys:
            at = slot_of(table, key)
            table[at] = key
            counts[at, 1] += 1
        table, counts = grown(table, counts)
        assert table.size == 128
        for key in set(keys):
            at = slot_of(table, key)
            assert (table[at], counts[at, 0], counts[at, 1]) == (key, 0, keys.count(key))
            assert int(mixed(key)) == reference_mix((key + 0x9E3779B97F4A7C15) % ALL)
    assert counts[:, 1].sum() == len(keys)


@pytest.mark.parametrize("count", [0, 1, 2, FEW - 1, FEW, FEW + 1, 3 * FEW])
def test_nodes_are_sorted_by_key_then_tie_then_number(count: int) -> None:
    rng = np.random.default_rng(count)
    key, tie = rng.integers(0, 4, count + 5), rng.integers(0, 3, count + 5)
    nodes = rng.permutation(count + 5)[:count].astype(np.int32)
    expected = sorted(nodes.tolist(), key=lambda node: (key[node], tie[node], node))
    sort_nodes(nodes, key, tie)
    assert nodes.tolist() == expected


def test_children_stand_below_their_parent_in_order() -> None:
    parent = np.array([-1, 0, 0, 1, 0, -2], np.int32)
    key = np.array([0, 7, 5, 1, 5, 0], np.int64)
    first, kids = children_by(parent, key, np.zeros(6, np.int64))
    below = [kids[first[node] : first[node + 1]].tolist() for node in range(6)]
    assert below == [[2, 4, 1], [3], [], [], [], []]
