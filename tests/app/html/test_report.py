"""The report as one file: whole without network or script, harmless whatever spans are called."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.budget.model import Budget
from overbudget.analysis.requests.table import Filters
from overbudget.analysis.review.review import review
from overbudget.app.html.report import review_html
from overbudget.app.server.workspace import SAMPLES
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset
from tests.dataset_builder import MS, DatasetBuilder, Work

HOSTILE = '<script>alert(1)</script>" onload="x\u202e\n=cmd()'


def report(path: Path, budget: Budget | None = None) -> str:
    connection = open_dataset(path)
    return review_html(connection, path.stem, review(connection, budget), budget, Filters())


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "slow.duckdb"
    ingest([SAMPLES / "slow_database_tenant.otlp.jsonl.gz"], path)
    return report(path, parse_budget((SAMPLES / "slow_database_tenant.budget.toml").read_text()))


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def tags(text: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(text)
    return parser.found


def test_it_holds_review_tail_advice_load_and_three_waterfalls(slow: str) -> None:
    assert "p95 is 2.18 s, 384 ms over its cap of 1.80 s." in slow
    assert "tenant = umbrella" in slow
    for heading in ("The tail", "What to do", "Under load, and how steady", "Waterfalls"):
        assert f"<h2>{heading}</h2>" in slow
    assert slow.count("<svg") == 4
    assert len(slow) < 6_000_000


@pytest.fixture(scope="module")
def streamed(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "streamed.duckdb"
    ingest([SAMPLES / "streamed_answers.otlp.jsonl.gz"], path)
    return report(path, parse_budget((SAMPLES / "streamed_answers.budget.toml").read_text()))


def table_of(text: str, title: str) -> str:
    """The table whose caption begins with `title`."""
    (found,) = re.findall(rf"<table[^>]*><caption><span>{re.escape(title)}.*?</table>", text, re.DOTALL)
    return str(found)


def test_it_has_what_tokens_cost_each_model(streamed: str) -> None:
    tokens = table_of(streamed, "What tokens cost in time")
    assert "1,000 input tokens" in tokens
    assert "steady-8b" in tokens


def test_it_has_what_is_left_along_the_way_for_each_cap_that_is_exceeded(streamed: str) -> None:
    assert "around p95" in table_of(streamed, "What is left of the 1.80 s")
    assert "around p99" in table_of(streamed, "What is left of the 2.30 s")
    assert "What is left of the 1.30 s" not in streamed


def test_it_has_limits_that_would_keep_the_total_where_that_is_exceeded(slow: str) -> None:
    assert "<h2>Limits for each stage</h2>" in slow
    assert "1.80 s at p95 is kept when every stage is held to" in slow
    assert "retrieval" in table_of(slow, "Limits on what a stage takes of any request")


def test_it_has_no_limits_where_nothing_need_be_cut_or_no_stage_can_be(tmp_path: Path) -> None:
    for name, stage, budget in (
        ("kept", "tools", "[budget]\np95 = '2s'"),
        ("no_total", "tools", "[stages.tools]\np95 = '1ms'"),
        ("no_stage", None, "[budget]\np95 = '1ms'"),
    ):
        builder = DatasetBuilder()
        for number in range(60):
            builder.request(Work(stage, (50 + number * 7 % 40) * MS, "work"))
        assert "<h2>Limits" not in report(builder.write(tmp_path / f"{name}.duckdb"), parse_budget(budget))


def test_a_narrow_window_shows_p95_first_and_no_caps(slow: str) -> None:
    heads = [about.get("class") for tag, about in tags(slow.split("</table>")[0]) if tag == "th"]
    assert heads == ["left", "soft", None, None, None, "first", None]
    narrow = slow[slow.index("@media screen and (max-width: 700px)") :]
    assert ".percentiles .soft { display: none; }" in narrow
    assert ".percentiles .first { order: 1; }" in narrow


def test_it_asks_nothing_of_a_network_and_has_no_script(slow: str) -> None:
    found = tags(slow)
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in found}
    assert not [attrs for _, attrs in found if {"src", "href"} & set(attrs)]
    assert "url(" not in slow
    assert "@import" not in slow


def test_hostile_names_become_text(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for number in range(40):
        slow = number % 10 == 0
        attributes = {"tenant": HOSTILE if slow else "other"}
        builder.request(
            Work("retrieval", (900 if slow else 50 + number) * MS, HOSTILE, attributes=attributes), route=HOSTILE
        )
    text = report(builder.write(tmp_path / "hostile.duckdb"))
    found = tags(text)
    assert "script" not in {tag for tag, _ in found}
    assert not [attrs for _, attrs in found if any(name.startswith("on") for name in attrs)]
    assert not re.search("<script", text)


def test_a_dataset_without_requests_is_said_to_be_one(tmp_path: Path) -> None:
    assert "no requests" in report(DatasetBuilder().write(tmp_path / "empty.duckdb"))
