"""What the spans of a request say of it, folded into one row, directly from drawn trees and facts."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from overbudget.ingest.derive.call_times import call_times
from overbudget.ingest.derive.model_calls import Said
from overbudget.ingest.derive.requests import fold_facts
from tests.drawn_facts import Facts, saying

PICTURE = """
request  [==================]
  wrap   .[========]          stage=inference
    call ..[=====]            stage=inference
  again  ............[=====]  stage=inference
  check  ..................[] stage=safety
"""


def fold(facts: Facts, picture: str = PICTURE, skew_ns: dict[str, int] | None = None) -> list[dict[str, Any]]:
    """The rows of the requests that are drawn, given what each span says."""
    said = saying(picture, facts, skew_ns)
    tree, inference = said.drawn.tree, said.inference
    times, calls = call_times(tree, inference), np.flatnonzero(inference.counts).astype(np.int32)
    records = Said(said.connection, tree, said.span_no, inference, times, calls)
    tokens = {name: records.column(name) for name in ("input_tokens", "output_tokens", "cached_tokens")}
    none = np.full(len(said.drawn.requests.entry), -1, np.int64)
    folded = fold_facts(
        said.connection, tree, said.span_no, said.drawn.request_of, inference, none,
        pa.table({"request_no": said.drawn.request_of[calls], **tokens}),
    )  # fmt: skip
    return folded.to_pylist()


def only(facts: Facts, **more: Any) -> dict[str, Any]:
    (row,) = fold(facts, **more)
    assert row["request_no"] == 0
    return row


def test_tokens_are_those_of_calls_that_no_other_call_encloses() -> None:
    said = {"input_tokens": "10", "output_tokens": "3", "cached_tokens": "2"}
    row = only({"wrap": said, "call": said, "again": {**said, "input_tokens": "7"}})
    assert (row["input_tokens"], row["output_tokens"], row["cached_tokens"]) == (17, 6, 4)


def test_without_a_call_that_says_so_the_largest_number_counts_once() -> None:
    row = only({"request": {"input_tokens": "40"}, "check": {"input_tokens": "30"}})
    assert row["input_tokens"] == 40


def test_tokens_that_are_no_number_are_none() -> None:
    row = only({"wrap": {"input_tokens": "many", "output_tokens": "5"}})
    assert (row["input_tokens"], row["output_tokens"]) == (None, 5)


def test_the_model_is_that_of_the_longest_call_before_any_longer_span() -> None:
    assert (
        only({"request": {"model": "router"}, "wrap": {"model": "big"}, "again": {"model": "small"}})["model"] == "big"
    )
    assert only({"request": {"model": "router"}})["model"] == "router"


def test_ids_are_those_of_the_first_span_that_has_one() -> None:
    row = only(
        {
            "again": {"conversation_id": "late", "request_id": "r-2"},
            "wrap": {"conversation_id": "early", "request_id": "r-1"},
        }
    )
    assert (row["conversation_id"], row["request_id"]) == ("early", "r-1")


@pytest.mark.parametrize(
    ("value", "known"), [('["r-1"]', "r-1"), ('["r-1","r-2"]', "r-1"), ("r-1", "r-1"), ("[]", "[]")]
)
def test_of_a_header_with_several_values_the_first_is_the_id(value: str, known: str) -> None:
    assert only({"request": {"request_id": value}})["request_id"] == known


def test_the_last_score_and_label_hold() -> None:
    row = only({"wrap": {"score": "0.2", "label": "bad"}, "check": {"score": "0.9", "label": "Passed"}})
    assert (row["score"], row["good"]) == (0.9, True)


@pytest.mark.parametrize(("label", "good"), [("incorrect", False), ("YES", True), ("perhaps", None)])
def test_labels_that_nobody_knows_say_nothing(label: str, good: bool | None) -> None:
    assert only({"check": {"label": label}})["good"] is good


def test_spans_outside_every_request_say_nothing() -> None:
    picture = """
    handle   [======]    server orphan
    cleanup  ...[======] orphan
    """
    rows = fold({"handle": {"model": "a"}, "cleanup": {"conversation_id": "c"}}, picture)
    assert [(row["model"], row["conversation_id"]) for row in rows] == [("a", None)]


def test_requests_without_facts_have_no_row() -> None:
    assert fold({}) == []


@pytest.mark.parametrize("empty", ["", '""', "  ", '" "', '[""]', '["", "b"]'])
def test_an_empty_text_is_no_id_and_no_model(empty: str) -> None:
    row = only({"call": {"model": empty, "conversation_id": empty, "request_id": empty}})
    if not empty.startswith("["):  # a list is what a header's value is
        assert (row["model"], row["conversation_id"]) == (None, None)
    assert row["request_id"] is None


def test_an_id_that_a_later_span_names_wins_over_one_that_is_empty() -> None:
    row = only(
        {"request": {"conversation_id": "", "request_id": ""}, "call": {"conversation_id": "c", "request_id": "r"}}
    )
    assert (row["conversation_id"], row["request_id"]) == ("c", "r")
