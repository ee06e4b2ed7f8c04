"""Caps on first tokens, on parts of inference and on single model calls: verdicts, what is not recorded, and the cause."""

from pathlib import Path

import duckdb
import numpy as np
import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.review.over import over, unjudged
from overbudget.analysis.review.result import Review
from overbudget.analysis.review.review import review
from overbudget.analysis.review.rows import CallRow, FirstTokenRow
from overbudget.app.text.check import check_sentences
from overbudget.app.text.first_token import late_first_token
from overbudget.app.text.headline import headline
from overbudget.app.text.notes import notes
from overbudget.store.dataset import open_dataset
from tests.dataset_builder import MS, DatasetBuilder, Work


def chat(first_ms: float | None, writing_ms: float, tokens: int = 11, model: str = "mist-large") -> Work:
    """A model call; `first_ms` None where it records no first token."""
    first, writing = round((first_ms or 0) * MS), round(writing_ms * MS)
    told = {"first_token_ns": first, "writing_ns": writing} if first_ms is not None else {}
    return Work("inference", first + writing, "chat", call={"model": model, "output_tokens": tokens, **told})


def dataset(path: Path, requests: list[list[Work]], **more: object) -> duckdb.DuckDBPyConnection:
    """One request for each list of work; its first token is that of its last call."""
    builder = DatasetBuilder()
    for work in requests:
        before = sum(piece.ns + piece.callee_ns for piece in work[:-1])
        first = work[-1].call.get("first_token_ns") if work else None
        builder.request(*work, rest_ns=MS, ttft_ns=None if first is None else before + first, **more)
    return open_dataset(builder.write(path / "tokens.duckdb"))


def judged(path: Path, requests: list[list[Work]], budget: str, **more: object) -> Review:
    return review(dataset(path, requests, **more), parse_budget(budget))


def first_token(found: Review, percentile: int = 95) -> FirstTokenRow:
    return next(row for row in found.first_token if row.percentile == percentile)


def calls(found: Review, percentile: int = 95) -> CallRow:
    return next(row for row in found.calls if row.percentile == percentile)


# 101 requests whose first tokens come after 0, 1, …, 100 ms, in an order without a trend: p95 is 95 ms to the nanosecond
MIXED = [int(ms) for ms in np.random.default_rng(5).permutation(101)]


@pytest.mark.parametrize(("cap", "verdict"), [("95ms", "within"), ("94.999999ms", "at_risk"), ("50ms", "over")])
def test_a_first_token_exactly_at_its_cap_keeps_it(tmp_path: Path, cap: str, verdict: str) -> None:
    found = judged(tmp_path, [[chat(ms, 10)] for ms in MIXED], f'[first_token]\np95 = "{cap}"')
    row = first_token(found)
    assert (row.latency_ns, row.n, row.without, row.verdict) == (95 * MS, 101, 0, verdict)
    assert [entry.figure for entry in over(found) if entry.percentile == 95] == ["first_token"] * (verdict == "over")


@pytest.mark.parametrize(("cap", "verdict"), [("95ms", "within"), ("94.999999ms", "at_risk"), ("50ms", "over")])
def test_a_call_exactly_at_its_cap_keeps_it(tmp_path: Path, cap: str, verdict: str) -> None:
    budget = f'[models."mist-*"]\ncall_first_token = {{ p95 = "{cap}" }}'
    row = calls(judged(tmp_path, [[chat(ms, 10)] for ms in MIXED], budget))
    assert (row.kind, row.of, row.figure) == ("model", "mist-*", "call_first_token")
    assert (row.latency_ns, row.n, row.without, row.verdict) == (95 * MS, 101, 0, verdict)


def test_time_per_output_token_leaves_out_the_first_one(tmp_path: Path) -> None:
    requests = [[chat(50, 10 * ms, tokens=11)] for ms in MIXED] + [[chat(50, 10, tokens=1)]]
    row = calls(judged(tmp_path, requests, '[stages.inference]\ncall_per_output_token = { p95 = "10ms" }'))
    assert (row.latency_ns, row.n, row.without) == (95 * MS, 101, 1)


def test_parts_are_held_to_caps_of_their_own_and_stand_below_their_stage(tmp_path: Path) -> None:
    budget = '[stages.inference]\np95 = "1s"\n[stages."inference.writing"]\np95 = "50ms"'
    found = judged(tmp_path, [[Work("retrieval", MS), chat(20, ms)] for ms in MIXED], budget)
    names = list(dict.fromkeys(row.stage for row in found.stages))
    assert names == ["retrieval", "inference", "inference.first_token", "inference.writing", "unattributed"]
    row = found.row(95, "inference.writing")
    assert (row.latency_ns, row.verdict, getattr(row, "part_of", "")) == (95 * MS, "over", "inference")
    assert found.row(95, "inference").verdict == "within"
    assert found.row(95, "inference.first_token").latency_ns == 20 * MS
    assert {stage.stage for made_of in found.breakdown for stage in made_of.stages} == {
        "retrieval", "inference", "unattributed",
    }  # fmt: skip
    assert {row["part_of"] for row in found.as_dict()["stages"]} == {None, "inference"}


def test_parts_sum_to_no_more_than_their_stage(tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    requests = [
        [chat(float(first) if first > 20 else None, float(writing)) for first, writing in random.uniform(0, 90, (3, 2))]
        for _ in range(60)
    ]
    found = judged(tmp_path, requests, "")
    for made_of in found.breakdown:
        whole = next((stage.mean_ns for stage in made_of.stages if stage.stage == "inference"), 0)
        parts = made_of.streaming
        if parts is not None:
            assert parts.waiting_ns + parts.writing_ns + parts.untold_ns == whole
            assert min(parts.waiting_ns, parts.writing_ns, parts.untold_ns) >= 0


def test_requests_without_a_first_token_are_said_and_never_count_as_0(tmp_path: Path) -> None:
    requests = [[chat(ms, 10)] for ms in MIXED] + [[chat(None, 500)]] * 20
    found = judged(tmp_path, requests, '[first_token]\np95 = "2s"\n[stages."inference.first_token"]\np95 = "2s"')
    row = first_token(found)
    assert (row.latency_ns, row.n, row.without, row.verdict) == (95 * MS, 101, 20, "within")
    part = found.row(95, "inference.first_token")
    assert (part.latency_ns, part.n, getattr(part, "without", 0)) == (95 * MS, 101, 20)
    assert any(
        "First tokens are those of 101 of 121 requests; the others record none." in note for note in notes(found)
    )


def test_where_most_record_no_first_token_no_cap_is_judged(tmp_path: Path) -> None:
    requests = [[chat(ms, 10)] for ms in MIXED] + [[chat(None, 500)]] * 102
    budget = '[first_token]\np95 = "2s"\n[stages.inference]\ncall_first_token = { p95 = "2s" }'
    found = judged(tmp_path, requests, budget)
    assert (first_token(found).verdict, calls(found).verdict) == ("unknown", "unknown")
    assert len(unjudged(found)) == len(found.percentiles) * 2 - 2  # at p99 nothing is capped
    said = check_sentences(found, over(found))
    assert "NOT JUDGED: 8 of 8 caps could not be judged (p50 of the first token: 101 of 203 record it)." in said[0]


def test_where_nothing_records_a_first_token_its_caps_are_unknown(tmp_path: Path) -> None:
    budget = '[first_token]\np95 = "2s"\n[stages."inference.writing"]\np95 = "2s"\n[models.mist]\ncall_first_token.p95 = "1s"'
    found = judged(tmp_path, [[chat(None, ms)] for ms in MIXED], budget)
    assert (first_token(found).latency_ns, first_token(found).verdict) == (None, "unknown")
    assert (found.row(95, "inference.writing").latency_ns, found.row(95, "inference.writing").verdict) == (
        None,
        "unknown",
    )
    assert (calls(found).latency_ns, calls(found).verdict) == (None, "unknown")
    assert "No request records a first token of its answer, so its cap cannot be judged." in notes(found)
    assert "The budget caps calls to `mist`, but no model call names such a model." in notes(found)


def test_without_caps_and_first_tokens_nothing_is_said_of_them(tmp_path: Path) -> None:
    found = judged(tmp_path, [[chat(None, ms)] for ms in MIXED], "")
    assert (found.first_token, found.calls, found.first_token_causes) == ((), (), ())
    assert "inference.writing" not in {row.stage for row in found.stages}


def test_a_request_without_inference_spends_0_in_its_parts(tmp_path: Path) -> None:
    requests = [[chat(20, 10)]] * 60 + [[Work("tools", 5 * MS)]] * 60
    row = judged(tmp_path, requests, '[stages."inference.writing"]\np50 = "1s"').row(50, "inference.writing")
    assert (row.n, getattr(row, "without", -1), row.latency_ns) == (120, 0, 5 * MS)


def test_calls_of_one_request_are_worth_less_than_as_many_of_others(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    levels = random.uniform(10, 90, 200)
    budget = '[stages.inference]\ncall_first_token = { p95 = "1s" }'
    alike = calls(judged(tmp_path, [[chat(float(level), 5)] * 5 for level in levels], budget), 50)
    assert alike.n == 1000
    assert alike.n_effective == pytest.approx(200, rel=0.25)
    (tmp_path / "other").mkdir()
    spread = [[chat(float(level), 5) for level in row] for row in random.uniform(10, 90, (200, 5))]
    other = calls(judged(tmp_path / "other", spread, budget), 50)
    assert other.n_effective is not None
    assert other.n_effective > 800


def test_calls_of_one_conversation_are_alike_too(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for number, level in enumerate(np.random.default_rng(3).uniform(10, 90, 100)):
        for _ in range(4):
            builder.request(chat(float(level), 5), conversation_id=f"c{number}")
    connection = open_dataset(builder.write(tmp_path / "talks.duckdb"))
    row = calls(review(connection, parse_budget('[stages.inference]\ncall_first_token = { p95 = "1s" }')), 50)
    assert row.n == 400
    assert row.n_effective == pytest.approx(100, rel=0.3)


def test_caps_of_a_custom_stage_are_those_of_its_model_calls(tmp_path: Path) -> None:
    requests = [
        [
            chat(ms, 10),
            Work("inference", 10 * MS, "plan", call={"model": "nix", "first_token_ns": 7 * MS, "writing_ns": 3 * MS}),
        ]
        for ms in MIXED
    ]
    budget = '[stages.planner]\nmatch = { name = "plan" }\ncall_first_token = { p95 = "5ms" }'
    row = calls(judged(tmp_path, requests, budget))
    assert (row.of, row.n, row.latency_ns, row.verdict) == ("planner", 101, 7 * MS, "over")


def test_a_route_has_caps_for_its_own_first_token_and_parts(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for ms in MIXED:
        builder.request(chat(ms, 10), route="POST /chat", ttft_ns=ms * MS)
        builder.request(chat(ms / 10, ms), route="POST /short", ttft_ns=ms * MS // 10)
    budget = parse_budget(
        '[first_token]\np95 = "1s"\n[routes."POST /chat".first_token]\np95 = "40ms"\n'
        '[routes."POST /short".stages."inference.writing"]\np95 = "50ms"'
    )
    found = review(open_dataset(builder.write(tmp_path / "routes.duckdb")), budget)
    assert first_token(found).verdict == "within"
    kept = {(entry.route, entry.stage, entry.figure) for entry in over(found) if entry.percentile == 95}
    assert kept == {("POST /chat", "total", "first_token"), ("POST /short", "inference.writing", None)}
    assert "But p95 of the first token in `POST /chat` is 95 ms, 55 ms over its own cap of 40 ms." in headline(found)


# -- why first tokens are late


def queued(queue_ms: float, first_ms: float = 50) -> list[Work]:
    """A wait for a slot, then the model: the queue is most of what late first tokens wait for."""
    return [Work("queue", round(queue_ms * MS), "wait for slot", service="gateway"), chat(first_ms, 200)]


def test_the_piece_that_grew_before_late_first_tokens_is_named(tmp_path: Path) -> None:
    slow = set(np.random.default_rng(1).permutation(200)[:30].tolist())
    requests = [queued(900 if number in slow else 20) for number in range(200)]
    found = judged(tmp_path, requests, '[budget]\np95 = "5s"\n[first_token]\np95 = "100ms"')
    assert late_first_token(found) == (
        "the first token comes after 950 ms at p95, 850 ms over; 900 ms of it is queue: `wait for slot` in `gateway`, "
        "880 ms more than in typical requests"
    )
    assert headline(found)[1] == f"But {late_first_token(found)}."


def test_what_comes_after_the_first_token_is_never_its_cause(tmp_path: Path) -> None:
    slow = set(np.random.default_rng(1).permutation(200)[:30].tolist())
    requests = [
        [Work("tools", (400 if number in slow else 20) * MS, "look up"), chat(50, 3000 if number in slow else 10)]
        for number in range(200)
    ]
    found = judged(tmp_path, requests, '[first_token]\np95 = "100ms"')
    cause = next(one for one in found.first_token_causes if one.percentile == 95)
    assert (cause.stage, cause.name, cause.model) == ("tools", "look up", None)
    assert (cause.first_token_ns, cause.mean_ns, cause.typical_ns) == (450 * MS, 400 * MS, 20 * MS)


def test_where_every_first_token_is_late_the_piece_as_long_as_the_time_over_is_named(tmp_path: Path) -> None:
    requests = [[Work("retrieval", (20 + ms) * MS // 10, "search"), chat(600 + ms, 10)] for ms in MIXED]
    found = judged(tmp_path, requests, '[first_token]\np95 = "200ms"')
    cause = next(one for one in found.first_token_causes if one.percentile == 95)
    assert (cause.stage, cause.model, cause.typical_ns) == ("inference", "mist-large", None)
    assert "of it is waiting for `mist-large`" in (late_first_token(found) or "")


def test_where_no_single_piece_explains_a_late_first_token_none_is_named(tmp_path: Path) -> None:
    requests = [[Work("retrieval", (300 + ms) * MS, "search"), chat(300 + ms, 10)] for ms in MIXED]
    found = judged(tmp_path, requests, '[first_token]\np95 = "500ms"')
    assert found.first_token_causes == ()
    said = late_first_token(found)
    assert said is not None
    assert said.endswith("over")
