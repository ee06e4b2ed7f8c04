"""Requests that lost spans count in percentiles, and requests that failed are those whose entry span failed."""

from pathlib import Path

import numpy as np
import pytest

from overbudget.analysis.compare.compare import Comparison, Side, compare
from overbudget.analysis.requests.table import Filters
from overbudget.app.text.compare import sentences
from overbudget.store.dataset import open_dataset
from tests.dataset_builder import MS, DatasetBuilder, Work


def chats(seed: int, n: int = 400, slow_share: float = 0.0, lose_slow: bool = False, **said: object) -> DatasetBuilder:
    """Chats of about 300 ms; `slow_share` of them take 3 s more, and lose a span of theirs with `lose_slow`."""
    random = np.random.default_rng(seed)
    builder = DatasetBuilder()
    for _ in range(n):
        slow = random.random() < slow_share
        took = round(random.lognormal(0, 0.2) * 300 * MS) + (3_000 * MS if slow else 0)
        builder.request(Work("inference", took, "chat"), rest_ns=2 * MS, complete=not (slow and lose_slow), **said)  # type: ignore[arg-type]
    return builder


def compared(tmp_path: Path, base: DatasetBuilder, candidate: DatasetBuilder) -> Comparison:
    first, second = (
        Side(open_dataset(builder.write(tmp_path / f"{number}.duckdb")))
        for number, builder in enumerate((base, candidate))
    )
    return compare(first, second)


def test_a_candidate_whose_slow_requests_lose_spans_is_slower_all_the_same(tmp_path: Path) -> None:
    found = compared(tmp_path, chats(1), chats(2, slow_share=0.2, lose_slow=True))
    assert found.verdict == "slower"
    assert next(one for one in found.end_to_end if one.percentile == 95).verdict == "slower"
    lost = found.candidate["incomplete"]
    assert (found.base["incomplete"], found.candidate["incomplete_left_out"]) == (0, 0)
    assert lost > 50
    assert found.candidate["requests"] == 400
    assert sentences(found)[0].startswith(
        "Requests of the candidate that lost spans are slower (median 3.30 s, the others"
    )
    answer = found.as_dict()
    assert (answer["base"]["incomplete_slower"], answer["candidate"]["incomplete_slower"]) == (False, True)


def test_spans_lost_by_chance_are_no_reason_to_say_so_first(tmp_path: Path) -> None:
    candidate = chats(2)
    for row in candidate.rows["requests"][::10]:
        row["complete"] = False
    found = compared(tmp_path, chats(1), candidate)
    assert found.candidate["incomplete"] == 40
    assert not found.as_dict()["candidate"]["incomplete_slower"]
    assert "lost spans" not in sentences(found)[0]


def test_complete_sides_are_compared_as_ever(tmp_path: Path) -> None:
    found = compared(tmp_path, chats(1), chats(2, slow_share=0.2))
    assert found.lost_spans == (None, None)
    assert (found.verdict, found.candidate["incomplete"]) == ("slower", 0)
    assert found.operations[0].name == "chat"


def test_a_request_without_an_entry_span_is_left_out(tmp_path: Path) -> None:
    candidate = chats(2)
    for row in candidate.rows["requests"][:7]:
        row["complete"], row["entry"] = False, "missing"
    found = compared(tmp_path, chats(1), candidate)
    assert (found.candidate["requests"], found.candidate["incomplete_left_out"]) == (393, 7)


def test_what_fails_is_what_the_dataset_calls_failed(tmp_path: Path) -> None:
    candidate = chats(2)
    for row in candidate.rows["requests"][::2]:
        row["failed"] = True  # as a server's 5xx without a status
    found = compared(tmp_path, chats(1), candidate)
    assert found.failed[1].share == 0.5
    assert found.fails_more
    assert sentences(found)[0].startswith("50% of the requests fail")


@pytest.mark.parametrize("key", ["version", "environment"])
def test_one_dataset_on_both_sides_is_compared_with_itself_by_filters(tmp_path: Path, key: str) -> None:
    builder = chats(1, **{key: "old"})
    random = np.random.default_rng(2)
    for _ in range(300):
        builder.request(Work("inference", round(random.lognormal(0, 0.2) * 900 * MS), "chat"), **{key: "new"})
    connection = open_dataset(builder.write(tmp_path / "d.duckdb"))
    found = compare(Side(connection, Filters(**{key: "old"})), Side(connection, Filters(**{key: "new"})))  # type: ignore[arg-type]
    assert (found.base["requests"], found.candidate["requests"], found.verdict) == (400, 300, "slower")
    (growth,) = found.services
    assert growth.change_ns == pytest.approx(610 * MS, rel=0.1)
