"""Tables of an answer: found in its JSON, made readable, written as HTML."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from overbudget.analysis.common.durations import format_duration
from overbudget.app.html.prose import prose

Rows = Sequence[Mapping[str, Any]]
WHOLE = "whole request"
MOST_ROWS = 20  # of a table in a notebook; frame() has all
SHARES = (
    "share",
    "blame",
    "slow_share",
    "typical_share",
    "share_of_excess",
    "share_of_change",
    "within_budget",
    "good",
)
NUMBERS = "text-align:right;font-variant-numeric:tabular-nums;padding:.15em .8em"
TEXTS = "text-align:left;padding:.15em .8em;white-space:normal;overflow-wrap:anywhere"
NOT_KNOWN = ("", "–", "too few", "no spans")


def tables_in(said: Mapping[str, Any]) -> dict[str, Rows]:
    """The lists of objects in a JSON answer, by name."""
    return {
        name: tuple(rows)
        for name, rows in said.items()
        if isinstance(rows, list | tuple) and all(isinstance(row, Mapping) for row in rows)
    }


def readable(rows: Rows) -> Rows:
    """Rows of a JSON answer for people: durations with units, shares in percent, no nested values, no empty columns."""
    flat = [{name: value for name, value in row.items() if not isinstance(value, list | tuple | dict)} for row in rows]
    there = {name for row in flat for name, value in row.items() if value is not None}
    return [
        {name.removesuffix("_ns").replace("_", " "): _text(name, value) for name, value in row.items() if name in there}
        for row in flat
    ]


def _text(name: str, value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool | str):
        return str(value)
    if name.endswith("_ns"):
        return f"{'−' if value < 0 else ''}{format_duration(abs(round(value)))}"
    if name == "percentile":
        return f"p{value}"
    if name in SHARES:
        return f"{value:.1%}"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3g}"


def table_html(rows: Rows) -> str:
    """The first rows as an HTML table in the page's own colours, every text escaped; "" where there are none."""
    if not rows:
        return ""
    names = list(dict.fromkeys(name for row in rows for name in row))
    style = {name: NUMBERS if all(_is_number(row.get(name, "")) for row in rows) else TEXTS for name in names}
    head = "".join(f'<th style="{style[name]}">{escape(name)}</th>' for name in names)
    lines = [
        "".join(f'<td style="{style[name]}">{prose(str(row.get(name, "")))}</td>' for name in names)
        for row in rows[:MOST_ROWS]
    ]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    more = len(rows) - MOST_ROWS
    rest = f"<p>and {more:,} more; .frame() has all</p>" if more > 0 else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}"


def _is_number(text: str) -> bool:
    return text in NOT_KNOWN or text.lstrip("▲▼≥+−- ~")[:1].isdigit()
