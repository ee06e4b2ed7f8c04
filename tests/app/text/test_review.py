"""The review in words, as text, as Markdown and as JSON."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.health.problem import Warned
from overbudget.analysis.review.result import OTHER_SERVICES
from overbudget.analysis.review.review import Filters, Review, over, review
from overbudget.app.text.check import check_sentences
from overbudget.app.text.headline import headline
from overbudget.app.text.markdown import markdown
from overbudget.app.text.notes import notes, warned
from overbudget.app.text.review import facts_text, review_blocks
from overbudget.app.text.review_json import check_json, review_json
from overbudget.app.text.tables import MEAN, breakdown_rows
from overbudget.app.text.terminal import show, text
from overbudget.app.text.words import quoted
from overbudget.store.dataset import open_dataset
from tests.dataset_builder import FIRST_START_NS, MS, DatasetBuilder, S, Work
from tests.golden import check_golden

BUDGET = """
[budget]
p50 = "700ms"
p95 = "1s"
[good]
score = { at_least = 0.5 }
[stages.retrieval]
p95 = "400ms"
[stages.inference]
p50 = "600ms"
[stages.queue]
p95 = "10ms"
[routes."GET /slow"]
p95 = "800ms"
"""


def slow_database(n: int = 400, **more: object) -> DatasetBuilder:
    """One request in ten waits 900 ms for its query; two routes."""
    random = np.random.default_rng(7)
    builder = DatasetBuilder()
    for number in range(n):
        slow = 900 * MS if number % 10 == 3 else 0
        builder.request(
            Work("retrieval", int(random.gamma(4, 10 * MS)) + slow, "SELECT docs"),
            Work("inference", int(random.gamma(20, 20 * MS)), "chat", hop_to="openai"),
            Work("tools", 3 * MS, "GET /cart", hop_to="cart", callee_ns=12 * MS),
            rest_ns=2 * MS,
            route="GET /slow" if number % 4 == 0 else "POST /chat",
            score=float(random.random()) if number % 2 else None,
            complete=number != 1,
            **more,
        )
    return builder


Reviewer = Callable[..., Review]


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Reviewer:
    path = slow_database().write(tmp_path_factory.mktemp("words") / "slow.duckdb")
    return lambda budget="", **filters: _review(path, budget, **filters)


def _review(path: Path, budget: str = "", **filters: object) -> Review:
    connection = open_dataset(path)
    try:
        return review(connection, parse_budget(budget) if budget else None, Filters(**filters))  # type: ignore[arg-type]
    finally:
        connection.close()


def review_text(found: Review) -> str:
    return text(review_blocks(found))


def review_markdown(found: Review) -> str:
    return markdown(review_blocks(found))


def built(tmp_path: Path, builder: DatasetBuilder, budget: str = "", **filters: object) -> Review:
    return _review(builder.write(tmp_path / "built.duckdb"), budget, **filters)


# -- two sentences


def test_over_budget_names_the_percentile_the_stage_and_the_operation(slow: Reviewer) -> None:
    first, second = headline(slow('[budget]\np95 = "1s"\n[stages.retrieval]\np95 = "400ms"'))
    assert first == "p95 is 1.34 s, 336 ms over its cap of 1.00 s."
    assert second == "Retrieval takes 0.94 s of it, 538 ms over its cap of 400 ms; `SELECT docs` is why."


def test_without_stage_caps_the_stage_is_told_by_comparison_and_it_says_so(slow: Reviewer) -> None:
    assert headline(slow('[budget]\np95 = "1s"'))[1].endswith("more than in typical requests; `SELECT docs` is why.")
    kept = headline(slow('[budget]\np95 = "1s"\n[stages.inference]\np95 = "1s"'))[1]
    assert kept.startswith("No stage is over its cap; retrieval takes 0.94 s of it, ")


def test_no_budget_is_said_and_the_tail_is_told_all_the_same(slow: Reviewer) -> None:
    first, second = headline(slow())
    assert first == "p95 is 1.34 s; no budget is set."
    assert second.startswith("Retrieval takes ")
    assert second.endswith("more than in typical requests; `SELECT docs` is why.")


def test_a_kept_budget_is_said_as_plainly(slow: Reviewer) -> None:
    assert headline(slow('[budget]\np95 = "2s"')) == [
        "p95 is 1.34 s, within its cap of 2.00 s.",
        "It is 664 ms below the cap; no stage has a cap of its own.",
    ]
    every = '[budget]\np95 = "3s"\n[stages.retrieval]\np95 = "1.5s"'
    assert headline(slow(every))[1] == "Every stage is within its cap."


def test_a_budget_for_stages_alone_is_said_to_be_one(slow: Reviewer) -> None:
    first = headline(slow('[stages.inference]\np95 = "3s"'))[0]
    assert first == "p95 is 1.34 s; the budget has no cap for the whole request."


def test_a_stage_over_its_cap_shows_even_when_the_whole_request_is_not(slow: Reviewer) -> None:
    first, second = headline(slow('[budget]\np95 = "2s"\n[stages.retrieval]\np95 = "400ms"'))
    assert first == "p95 is 1.34 s, within its cap of 2.00 s."
    assert second == "But p95 of retrieval is 934 ms, 534 ms over its cap of 400 ms; `SELECT docs` is why."


def test_a_route_over_its_own_budget_shows_when_all_together_are_not(slow: Reviewer) -> None:
    second = headline(slow('[budget]\np95 = "2s"\n[routes."GET /slow"]\np50 = "300ms"'))[1]
    assert second.startswith("But p50 of `GET /slow` is ")
    assert second.endswith(" over its own cap of 300 ms.")


def test_at_risk_tells_what_is_known(slow: Reviewer) -> None:
    first, _ = headline(slow('[budget]\np95 = "1.33s"'))
    assert first == (
        "p95 is 1.34 s, 6.3 ms over its cap of 1.33 s, but 400 requests only show that it lies between 1.27 s and 1.40 s."
    )


def test_hop_time_is_told_apart_from_what_the_callee_takes(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for number in range(300):
        waits = 480 * MS if number % 10 == 0 else 3 * MS
        builder.request(Work("tools", waits, "GET /cart", hop_to="cart", callee_ns=12 * MS), rest_ns=number * 77 % 300)
    second = headline(built(tmp_path, builder, '[budget]\np95 = "100ms"\n[stages.tools]\np95 = "50ms"'))[1]
    assert second.endswith(
        "442 ms over its cap of 50 ms; 480 ms pass before `cart` starts on `GET /cart`, which then runs 12 ms."
    )


def test_waiting_for_a_callee_without_spans_is_told_as_waiting(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for number in range(300):
        took = (900 if number % 10 == 0 else 300) * MS + number * 77 % 300
        builder.request(Work("inference", took, "chat", hop_to="openai"))
    second = headline(built(tmp_path, builder, '[budget]\np95 = "500ms"\n[stages.inference]\np95 = "450ms"'))[1]
    assert second.endswith("450 ms over its cap of 450 ms; `chat` waiting for `openai` is why.")


def test_an_operation_that_is_slow_in_every_request_is_told_as_such(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for number in range(300):
        builder.request(Work("tools", 500 * MS + number, "call"), Work("inference", number * 77 % 300 * MS, "chat"))
    second = headline(built(tmp_path, builder, '[budget]\np95 = "600ms"\n[stages.tools]\np95 = "100ms"'))[1]
    assert second.endswith("400 ms over its cap of 100 ms; the largest part of it is `call`, in typical requests too.")


def test_few_requests_are_told_without_percentiles(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    builder.request(Work("inference", 12 * S, "chat"), rest_ns=300 * MS)
    found = built(tmp_path, builder, '[budget]\np95 = "20s"')
    assert headline(found) == [
        "1 request took 12.3 s: too few for percentiles (p50 needs 40).",
        "Inference takes the largest part of it, 12.0 s (98%).",
    ]
    assert check_sentences(found, over(found))[0].startswith("NOT JUDGED: 4 of 4 caps could not be judged")


def test_few_requests_that_all_wait_for_one_query_are_told_by_the_query_without_a_verdict(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for number in range(8):
        builder.request(Work("database", 30 * S + number * 77 % 300, "find", hop_to="mongo"), rest_ns=10 * MS)
    found = built(tmp_path, builder, '[budget]\np95 = "1s"')
    assert headline(found) == [
        "All 8 requests take longer than the p95 cap of 1.00 s: 30.0 s on average.",
        "In database, `find` in `api` waiting for `mongo` is the largest part, 30.0 s of 30.0 s.",
    ]
    assert {row.verdict for row in found.end_to_end if row.budget_ns is not None} == {"unknown"}
    said = check_sentences(found, over(found))
    assert said[0].startswith("NOT JUDGED: ")
    assert headline(found) == said[1:3]


def test_failed_requests_keep_no_cap_however_fast_they_fail(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    builder = DatasetBuilder()
    for _ in range(300):
        fails = random.random() < 0.6
        took = int(random.gamma(4, 3 * MS if fails else 50 * MS))
        builder.request(Work("inference", took, "chat"), status="ERROR" if fails else "UNSET")
    found = built(tmp_path, builder, '[budget]\np50 = "900ms"\np95 = "2s"')
    assert {row.percentile: row.verdict for row in found.end_to_end} == {
        50: "over", 75: "over", 90: "over", 95: "over", 99: None,
    }  # fmt: skip
    assert all(row.failed for row in found.end_to_end if row.verdict == "over")
    first, _ = headline(found)
    assert "% of 300 requests fail" in first
    assert first.endswith("so p95 is over any cap.")
    assert all("fail" in said for said in check_sentences(found, over(found)))
    apart = built(tmp_path, builder, '[budget]\nfailures = "apart"\np50 = "900ms"\np95 = "2s"')
    assert {row.verdict for row in apart.end_to_end} == {"within", None}
    assert apart.failed == found.failed
    assert headline(apart)[0].endswith("fail and are left out.")


def test_a_single_request_is_still_told_what_it_is_made_of(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    builder.request(Work("inference", 1 * S, "chat"), rest_ns=48 * S)
    found = built(tmp_path, builder)
    assert ["inference", "1.00", "s", "2%"] in [line.split() for line in review_text(found).splitlines()]
    assert "| unattributed | 48.0 s | 98% |" in review_markdown(found)
    assert [note[:50] for note in notes(found)] == ["98% of the time passes in no classified span, so l"]


def test_only_the_busiest_of_many_routes_are_listed_and_those_the_budget_names(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for number in range(150):
        builder.request(Work("tools", (10 + number) * MS), route=f"GET /{number % 15:02}")
    text = review_text(built(tmp_path, builder, '[budget]\np50 = "1s"\n[routes."GET /14"]\np50 = "1s"'))
    assert "`GET /09`" in text
    assert "`GET /10`" not in text
    assert "`GET /14`" in text
    assert "and 4 more" in text


def test_what_cannot_be_told_is_said_with_what_it_takes(slow: Reviewer) -> None:
    found = slow('[budget]\np99 = "60s"', end=FIRST_START_NS + 81 * S)
    assert headline(found)[0].endswith("within its cap of 60.0 s; too few requests to judge p99 (81; needs 368).")
    assert "Too few requests to judge p99 (81; needs 368)." in notes(found)
    few = headline(slow('[budget]\np95 = "565ms"', end=FIRST_START_NS + 31 * S))
    assert few[0].startswith("p75 of these 31 requests is ")
    assert few[0].endswith("; fewer than 40 requests show no more than that.")


def test_nothing_to_review_says_what_to_do(slow: Reviewer, tmp_path: Path) -> None:
    assert headline(slow(start=0, end=1)) == ["No request passes these filters.", "Without them there are 400."]
    assert headline(slow('[request]\nmatch = { name = "x" }'))[0] == "There are spans but no requests."
    assert "ingest" in headline(built(tmp_path, DatasetBuilder()))[1]
    builder = DatasetBuilder()
    builder.request(Work("tools", MS), complete=False)
    assert headline(built(tmp_path, builder)) == [
        "1 request took 1 ms: too few for percentiles (p50 needs 40).",
        "Where their time went is not known: spans are missing.",
    ]


def test_notes_say_what_was_left_out_and_what_the_budget_names_in_vain(slow: Reviewer) -> None:
    said = notes(slow('[stages.queue]\np95 = "10ms"\n[routes."POST /x"]\np95 = "1s"'))
    counts = "1 request with missing spans or ends counts in the percentiles of the whole request. "
    assert f"{counts}Where their time went is not known." in said
    assert "No span is classified as queue, so its cap cannot be judged." in said
    assert "The budget names the route `POST /x`, which no request has." in said


def test_much_unattributed_time_is_worth_a_note(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for number in range(100):
        builder.request(Work("inference", 40 * MS + number * 77 % 100), rest_ns=60 * MS)
    assert notes(built(tmp_path, builder))[-1].startswith("60% of the time passes in no classified span, so look at")


def test_half_of_the_time_unattributed_is_not_yet_much(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for _ in range(100):
        builder.request(Work("inference", 50 * MS), rest_ns=50 * MS)
    assert not any("no classified span" in note for note in notes(built(tmp_path, builder)))


@pytest.mark.parametrize(("rest_ms", "told"), [(49, "inference"), (150, "`search`")])
def test_where_stages_explain_little_the_table_and_the_sentence_speak_of_services(
    tmp_path: Path, rest_ms: int, told: str
) -> None:
    builder = DatasetBuilder()
    for _ in range(100):
        builder.request(
            Work("inference", 100 * MS),
            Work(None, rest_ms * MS, "scan", service="search"),
            Work(None, 20 * MS, "ask", hop_to="ledger"),
        )
    review = built(tmp_path, builder)
    lines = breakdown_rows(review)
    labels = [line.label for line in lines]
    assert labels[-1] == MEAN
    assert (told in labels) is True
    assert ("unattributed" in labels) is (rest_ms == 49)
    assert told.strip("`") in headline(review)[1].lower()
    for made_of in review.breakdown:
        assert sum(part.mean_ns for part in made_of.services) == made_of.band_latency_ns
        assert {part.service_name for part in made_of.services} == {"api", "search", "ledger"}


def test_beyond_seven_services_the_others_are_told_together(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for _ in range(60):
        builder.request(*(Work(None, place * MS, service=f"s{place}") for place in range(1, 12)))
    lines = breakdown_rows(built(tmp_path, builder))
    assert [line.label for line in lines] == [*(f"`s{place}`" for place in range(11, 4, -1)), OTHER_SERVICES, MEAN]
    assert lines[-2].cells[0].text.startswith("10 ms")  # 1 + 2 + 3 + 4


def test_a_band_that_one_extreme_request_dominates_says_so(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for number in range(120):
        builder.request(Work("inference", (7_000 if number == 60 else 20 + number * 77 % 15) * MS, "chat"))
    said = [note for note in notes(built(tmp_path, builder)) if note.startswith("One request of 7.00 s makes")]
    assert said
    assert all(note.endswith("is not the percentile.") for note in said)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("SELECT docs", "`SELECT docs`"), ("a`b", "`a'b`"), ("two\nlines\t\x1b[31m", "`two lines [31m`"),
        ("", "`(no name)`"), ("x" * 100, "`" + "x" * 59 + "…`"), ("<script>", "`<script>`"), ("a\u202eb", "`a b`"),
    ],
)  # fmt: skip
def test_names_from_the_data_stay_on_one_line_and_inside_their_quotes(name: str, shown: str) -> None:
    assert quoted(name) == shown


# -- whole reports


def test_the_review_as_text_is_the_recorded_one(slow: Reviewer) -> None:
    check_golden("review.txt", review_text(slow(BUDGET)))


def test_the_review_as_markdown_is_the_recorded_one(slow: Reviewer) -> None:
    check_golden("review.md", review_markdown(slow(BUDGET)))


def test_the_review_as_json_is_the_recorded_one(slow: Reviewer) -> None:
    check_golden("review.json", review_json(slow(BUDGET)) + "\n")


def test_few_requests_as_text_are_the_recorded_ones(slow: Reviewer) -> None:
    check_golden("review_few.txt", review_text(slow(BUDGET, end=FIRST_START_NS + 61 * S)))


def test_the_json_says_what_the_review_does_and_nothing_that_is_not_json(slow: Reviewer) -> None:
    found = slow(BUDGET)
    assert json.loads(review_json(found), parse_constant=pytest.fail) == found.as_dict()
    checked = json.loads(check_json(found, over(found)))
    assert checked["over"][0] == {
        "stage": "total", "percentile": 95, "route": None,
        "latency_ns": found.row(95).latency_ns, "budget_ns": S, "failed": False, "figure": None, "model": None, "requests": None, "calls": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ('[budget]\np95 = "3s"', "Every cap is met."),
        ('[stages.retrieval]\np95 = "400ms"', "p95 of retrieval is 934 ms, 534 ms over its cap of 400 ms."),
        (
            '[routes."GET /slow"]\np50 = "300ms"',
            "p50 of the whole request in `GET /slow` is 443 ms, 143 ms over its cap of 300 ms.",
        ),
        ('[stages.retrieval]\nmatch = { name = "*" }', "The budget has no caps, so there is nothing to check."),
    ],
)
def test_a_check_says_which_caps_are_broken(slow: Reviewer, budget: str, said: str) -> None:
    found = slow(budget)
    assert check_sentences(found, over(found)) == [said]


def test_a_check_that_may_be_broken_says_so_before_it_says_anything_else(slow: Reviewer) -> None:
    found = slow('[budget]\np95 = "1.33s"')
    assert check_sentences(found, over(found)) == [
        "NOT CERTAIN: p95 of the whole request is 1.34 s, over its cap of 1.33 s, but may lie between 1.27 s and 1.40 s.",
        "No cap is known to be broken.",
    ]


def test_output_that_is_no_terminal_is_plain(slow: Reviewer) -> None:
    file = io.StringIO()
    show(review_blocks(slow(BUDGET)), file)
    assert "\x1b" not in file.getvalue()
    assert "▲ 1.34 s" in file.getvalue()


def test_a_terminal_gets_colour_beside_the_sign(slow: Reviewer, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    file = Terminal()
    show(review_blocks(slow(BUDGET)), file)
    assert "\x1b[" in file.getvalue()


def test_hostile_names_break_neither_text_nor_table(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for number in range(200):
        late = number % 10 == 0
        name = "a|b`<script>alert(1)</script>\n[red]"
        builder.request(
            Work("tools", (900 if late else 10) * MS + number, name, service="x|y"), route=name if late else "[bold]"
        )
    found = built(tmp_path, builder, '[budget]\np95 = "100ms"\n[stages.tools]\np95 = "50ms"')
    markdown = review_markdown(found)
    tables = [line for line in markdown.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in tables if "a\\|b" in line} <= {6, 8}
    assert "[red]" in review_text(found)
    assert "[bold]" in review_text(found)


def test_what_is_no_whole_run_is_said_right_after_the_answer_and_first_in_a_check(slow: Reviewer) -> None:
    found = slow(BUDGET)
    warnings = (Warned("fragments", 60), Warned("lost_context", 1), Warned("session_root", 2))
    found = replace(found, dataset=replace(found.dataset, warnings=warnings))
    told = warned(found)
    assert told[0].startswith("60 of 400 requests are model or tool calls cut off from their run: percentiles speak of")
    assert told[1].startswith("1 of 400 requests is one of the pieces of others, cut off where")
    assert [block.text for block in review_blocks(found)[2:5]] == told  # type: ignore[union-attr]
    assert check_sentences(found, over(found))[:3] == told


def test_a_dataset_of_incomplete_requests_alone_is_not_called_one_of_no_requests(slow: Reviewer) -> None:
    found = slow()
    assert facts_text(found).startswith("400 requests, ")
    none = replace(found, selected={**found.selected, "requests": 0, "incomplete_left_out": 400})
    assert facts_text(none).startswith("400 requests, none of them complete, ")


@pytest.mark.parametrize(("own_ms", "named"), [(799, False), (800, True)])
def test_where_no_stage_explains_most_the_operation_that_takes_half_of_it_is_named(
    tmp_path: Path, own_ms: int, named: bool
) -> None:
    builder = DatasetBuilder()
    for _ in range(60):
        builder.request(
            Work(None, own_ms * MS, "GET /orders/{id}"), Work(None, 400 * MS, "GET /users"), rest_ns=400 * MS
        )
    found = _review(builder.write(tmp_path / "d.duckdb"))
    said = " ".join(headline(found))
    assert ("`GET /orders/{id}` in `api` takes most, 0.80 s (50%)" in said) is named
    assert ("of the services" in said) is not named
