"""Blocks and their three renderers: the same words everywhere, nothing from the data that a terminal or a browser obeys."""

import pytest

from overbudget.app.html.blocks import html
from overbudget.app.text.blocks import (
    Block,
    Cell,
    Column,
    Command,
    Heading,
    Headline,
    Notes,
    Points,
    Sentence,
    and_more,
    opening,
    table,
)
from overbudget.app.text.markdown import markdown
from overbudget.app.text.terminal import text

HOSTILE = "\x1b[2J<b>a|b</b>\u202e\nx"
CAPS = Column("cap", "caps")
EVERY: list[Block] = [
    Headline("p95 is over."),
    Sentence("`a` is why."),
    Heading("1. Cache"),
    Points(("+ often", "− rarely")),
    Command("overbudget whatif"),
    *table("Times", ["", CAPS, "p95"], [[Cell("all", "strong"), "1 s p50, 2 s p95", Cell("▲ 3 s", "over", "2 – 4 s")]]),
    Notes(("One is missing.",)),
    Sentence("3 requests.", "soft"),
]


def rows_of(drawn: str) -> list[list[str]]:
    return [line.split() for line in drawn.splitlines()]


def test_text_says_every_block_and_puts_a_cap_on_each_line() -> None:
    assert rows_of(text(EVERY)) == [
        ["p95", "is", "over."], ["`a`", "is", "why."], [],
        ["1.", "Cache"], ["+", "often"], ["−", "rarely"], ["overbudget", "whatif"], [],
        ["Times"], ["cap", "p95"], ["─" * 21], ["all", "1", "s", "p50", "▲", "3", "s"], ["2", "s", "p95"], [],
        ["One", "is", "missing."], ["3", "requests."],
    ]  # fmt: skip


def test_markdown_says_every_block_and_what_is_over_in_bold() -> None:
    assert markdown(EVERY).split("\n\n") == [
        "### p95 is over.", "`a` is why.", "#### 1. Cache", "- + often\n- − rarely", "```sh\noverbudget whatif\n```",
        "Times:", "|  | cap | p95 |\n| --- | ---: | ---: |\n| **all** | 1 s p50<br>2 s p95 | **▲ 3 s** |",
        "- One is missing.", "<sub>3 requests.</sub>\n",
    ]  # fmt: skip


def test_html_says_every_block_and_shows_intervals_beside_verdicts() -> None:
    drawn = html(EVERY)
    assert drawn.startswith("<p><strong>p95 is over.</strong></p><p><code>a</code> is why.</p><h3>1. Cache</h3>")
    assert '<tr class="total"><td class="left">all</td><td class="soft">1 s p50, 2 s p95</td>' in drawn
    assert '<td class="first over">▲ 3 s<small>2 – 4 s</small></td>' in drawn
    assert drawn.endswith('<p class="soft">One is missing.</p><p class="soft">3 requests.</p>')


@pytest.mark.parametrize("draw", [text, markdown, html])
@pytest.mark.parametrize(
    "blocks",
    [
        [Headline(HOSTILE)], [Heading(HOSTILE)], [Sentence(HOSTILE)], [Points((HOSTILE,))], [Notes((HOSTILE,))],
        [Command(HOSTILE)], table(HOSTILE, [HOSTILE, "n"], [[HOSTILE, Cell(HOSTILE, "over", HOSTILE)]], HOSTILE, True),
    ],
)  # fmt: skip
def test_no_renderer_passes_on_what_a_terminal_or_a_browser_obeys(draw, blocks: list[Block]) -> None:  # type: ignore[no-untyped-def]
    drawn = draw(blocks)
    assert "\x1b" not in drawn
    assert "\u202e" not in drawn
    assert "b</b>" not in drawn or draw is not html


def test_a_bar_in_a_name_opens_no_column_in_markdown() -> None:
    (rows,) = table("", ["name", "n"], [["a|b", "1"]])
    assert markdown([rows]).splitlines()[-1] == "| a\\|b | 1 |"


def test_columns_that_do_not_fit_follow_below_with_the_names_again() -> None:
    columns = ["model", *(f"measure number {n}" for n in range(8))]
    (wide,) = table("", columns, [["mist-large", *(f"value{n}" for n in range(8))]])
    drawn = text([wide], width=80)
    assert max(map(len, drawn.splitlines())) <= 80
    assert drawn.count("mist-large") == 3
    assert [drawn.count(f"value{n}") for n in range(8)] == [1] * 8
    assert text([wide], width=200).count("mist-large") == 1


def test_a_table_that_fits_exactly_stays_whole() -> None:
    (fits,) = table("", ["a" * 10, "b" * 27], [["x", "y"]])
    assert text([fits], width=40).count("x") == 1
    three = table("", ["a" * 10, "b" * 12, "c" * 12], [["x", "y", "z"]])
    assert text(three, width=40).count("x") == 1
    assert text(three, width=39).count("x") == 2


def test_long_names_wrap_and_numbers_never_do() -> None:
    (long,) = table("", ["name", "n"], [["a long name of many words " * 4, "1,234,567 ms"]])
    drawn = text([long], width=40)
    assert "1,234,567 ms" in drawn
    assert max(map(len, drawn.splitlines())) <= 40


def test_no_rows_make_no_table_and_no_sentences_nothing() -> None:
    assert table("Times", ["", "p95"], []) == []
    assert opening([]) == []
    assert opening(["One."]) == [Headline("One.")]


def test_what_is_left_out_is_counted_only_where_something_is() -> None:
    assert [and_more(n) for n in (-2, 0, 1, 1_200)] == ["", "", "and 1 more", "and 1,200 more"]
