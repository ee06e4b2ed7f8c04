"""The report that is sent round after a review: one HTML file, without scripts, fonts or anything from a network."""

from collections.abc import Sequence
from html import escape

import duckdb

from overbudget.analysis.advice.advice import advise
from overbudget.analysis.budget.caps import USUAL
from overbudget.analysis.budget.model import Budget
from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.consistency.consistency import consistency_of
from overbudget.analysis.load.load import load_of
from overbudget.analysis.requests.read import read_requests
from overbudget.analysis.requests.table import Filters
from overbudget.analysis.review.examples import around, describe, slowest
from overbudget.analysis.review.result import Review
from overbudget.analysis.tail.tail import tail
from overbudget.analysis.trace.trace import load_trace
from overbudget.app.charts.parts import key_of
from overbudget.app.html.prose import prose
from overbudget.app.html.svg import breakdown_svg, waterfall_svg
from overbudget.app.text import advice as advice_words
from overbudget.app.text import consistency as consistency_words
from overbudget.app.text import load as load_words
from overbudget.app.text import tail as tail_words
from overbudget.app.text.headline import headline
from overbudget.app.text.notes import notes
from overbudget.app.text.review import facts_text, good_text
from overbudget.app.text.tables import (
    MADE_OF,
    TOTALS,
    Line,
    average_lines,
    breakdown_lines,
    culprit_lines,
    percentile_lines,
    route_lines,
)
from overbudget.store.errors import OverbudgetError

STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 1000px; margin: 2.2rem auto; padding: 0 1.2rem; color: #1d2733; background: #fff; }
h1 { font-size: 1.55rem; line-height: 1.25; margin: 0 0 .3rem; } h2 { font-size: 1.12rem; margin: 2.1rem 0 .5rem; } h3 { font-size: 1rem; margin: 1.3rem 0 .3rem; }
p { margin: .25rem 0; } .soft, caption { color: #5d6873; fill: #5d6873; font-size: .88rem; } code { font-size: .92em; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0; } caption { text-align: left; padding-bottom: .3rem; }
th, td { text-align: right; padding: .28rem .7rem; border-bottom: 1px solid #d9dee3; white-space: nowrap; } th { font-weight: 500; color: #5d6873; }
td small { display: block; font-size: .78em; font-weight: 400; } th:first-child, td:first-child, td.left { text-align: left; padding-left: 0; white-space: normal; overflow-wrap: anywhere; min-width: 6.5rem; } td.soft { font-size: .88em; white-space: normal; min-width: 5.5rem; } tr.total td { font-weight: 600; }
td.over { background: #c8102e; color: #fff; } td.at_risk { background: #f2c14e; color: #1d1d1d; } td.unknown { color: #6d7680; }
svg .soft { font-size: inherit; } .key span { margin-right: 1rem; white-space: nowrap; } .key i { display: inline-block; width: .7em; height: .7em; margin-right: .35em; }
svg { width: 100%; height: auto; font: 12px system-ui, sans-serif; fill: currentColor; } .scroll { overflow-x: auto; } pre { white-space: pre-wrap; font-size: .85rem; }
@media (prefers-color-scheme: dark) { body { background: #12161b; color: #e3e8ed; } th, .soft, caption { color: #9aa6b2; fill: #9aa6b2; } th, td { border-color: #303841; } }
@media screen and (max-width: 700px) { svg { min-width: 640px; } th, td { padding: .28rem .4rem; }
  .percentiles tr { display: grid; grid-auto-flow: column; grid-template-columns: 7rem; grid-auto-columns: 6.7rem; } .percentiles .soft { display: none; }
  .percentiles :is(th, td) { order: 2; } .percentiles .first { order: 1; } .percentiles tr > :first-child { order: 0; min-width: 0; } }
@media print { body { margin: 0; max-width: none; font-size: 11pt; background: #fff; color: #000; } h2 { break-after: avoid; } svg { min-width: 0; } table, svg, .advice { break-inside: avoid; } table { font-size: 9pt; width: 100%; } th, td { padding: .15rem .3rem; } .scroll { overflow: visible; } td.over, td.at_risk, rect, .key i { print-color-adjust: exact; } }
"""


def review_html(
    connection: duckdb.DuckDBPyConnection, name: str, review: Review, budget: Budget | None, filters: Filters
) -> str:
    """The whole report of a dataset called `name`: review, tail, advice, load and spread, three waterfalls."""
    first, *others = headline(review)
    parts = [
        f"<h1>{prose(first)}</h1>",
        *(f"<p>{prose(sentence)}</p>" for sentence in others),
        f'<p class="soft">{escape(name)}: {escape(facts_text(review))}</p>',
        *_review(review),
        *_tail(connection, budget, filters),
        *_advice(connection, name, budget, filters),
        *_behaviour(connection, budget, filters),
        *_waterfalls(connection, budget, filters),
        *(f'<p class="soft">{prose(note)}</p>' for note in (*_good(review), *notes(review))),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Latency review: {escape(name)}</title><style>{STYLE}</style></head><body><main>{''.join(parts)}</main></body></html>\n"
    )


def _good(review: Review) -> list[str]:
    said = good_text(review)
    return [said] if said else []


def _review(review: Review) -> list[str]:
    columns = [f"p{p}" for p in review.percentiles]
    return [
        _table("Latency of the whole request and of each stage", percentile_lines(review), columns),
        _table("What the requests are made of on average", average_lines(review), ["time", "share"]),
        f"<h2>{MADE_OF}</h2>" if any(b.stages for b in review.breakdown) else "",
        breakdown_svg(review),
        _key(review),
        _table("The same in figures", breakdown_lines(review), columns),
        _table("Where the overrun comes from", culprit_lines(review), ["stage", "overrun", "blame", "operation"]),
        _table("Routes", route_lines(review), ["requests", *columns]),
    ]


def _table(title: str, lines: Sequence[Line], columns: Sequence[str]) -> str:
    if not lines:
        return ""
    capped = any(line.caps for line in lines)
    head = "<th></th>" + ('<th class="soft">cap</th>' if capped else "")
    head += "".join(f'<th class="{_place(column)}">{escape(column)}</th>' for column in columns)
    body = ""
    for line in lines:
        caps = f'<td class="soft">{escape(line.caps)}</td>' if capped else ""
        cells = "".join(
            f'<td class="{_place(column)} {cell.verdict or ""}">{prose(cell.text)}{_small(cell.interval)}</td>'
            for column, cell in zip(columns, line.cells, strict=True)
        )
        total = ' class="total"' if line.label in TOTALS else ""
        body += f"<tr{total}><td>{prose(line.label)}</td>{caps}{cells}</tr>"
    kind = ' class="percentiles"' if f"p{USUAL}" in columns else ""
    return f'<div class="scroll" tabindex="0"><table{kind}><caption>{escape(title)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _place(column: str) -> str:
    """The class of the column that a narrow window shows first."""
    return "first" if column == f"p{USUAL}" else ""


def _key(review: Review) -> str:
    """Which colour is which stage or service in the bars."""
    told = "".join(f'<span><i style="background:{colour}"></i>{escape(name)}</span>' for name, colour in key_of(review))
    return f'<p class="key">{told}</p>' if told else ""


def _small(text: str) -> str:
    return f"<small>{escape(text)}</small>" if text else ""


def _rows(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{prose(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll" tabindex="0"><table><caption>{escape(title)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _tail(connection: duckdb.DuckDBPyConnection, budget: Budget | None, filters: Filters) -> list[str]:
    try:
        found = tail(connection, budget, filters)
    except OverbudgetError as error:
        return ["<h2>The tail</h2>", f"<p>{escape(str(error))}</p>"]
    operations = [
        (
            tail_words.operation_text(one),
            format_duration(one.slow_mean_ns),
            format_duration(one.typical_mean_ns),
            f"{one.share_of_excess:.0%}",
        )
        for one in found.operations
        if one.share_of_excess >= tail_words.LEAST_SHARE
    ]
    attributes, failed = (
        [
            (tail_words.attribute_text(one), f"{one.slow_share:.0%}", f"{one.typical_share:.0%}", f"{one.requests:,}")
            for one in those
        ]
        for those in (found.attributes, found.failed)
    )
    most = tail_words.MOST_ROWS
    return [
        "<h2>The tail</h2>",
        *(f"<p>{prose(sentence)}</p>" for sentence in tail_words.sentences(found)),
        _rows(
            "Where the slow requests spend more time",
            ["operation", "slow", "typical", "of the excess"],
            operations[:most],
        ),
        _rows(
            "What they have more often", ["attribute", "of the slow", "of the typical", "requests"], attributes[:most]
        ),
        _rows(
            "What failed requests have more often",
            ["attribute", "of the failed", "of the others", "requests"],
            failed[:most],
        ),
    ]


def _advice(connection: duckdb.DuckDBPyConnection, name: str, budget: Budget | None, filters: Filters) -> list[str]:
    found = advise(connection, f"{name}.duckdb", budget, filters)
    parts = ["<h2>What to do</h2>"]
    if not found:
        parts.append(f"<p>{escape(advice_words.summary(found)[0])}</p>")
    for number, one in enumerate(found, 1):
        reasons = "".join(
            f"<li>{escape(sign)} {escape(reason)}</li>"
            for sign, those in (("+", one.evidence), ("−", one.against))
            for reason in those
        )
        effect = prose(advice_words.effect_text(one))
        parts.append(
            f'<div class="advice"><h3>{number}. {prose(advice_words.title(one))}</h3><p>{effect}</p>'
            f'<ul style="list-style:none;padding-left:0">{reasons}</ul><pre>{escape(one.command)}</pre></div>'
        )
    return parts


def _behaviour(connection: duckdb.DuckDBPyConnection, budget: Budget | None, filters: Filters) -> list[str]:
    everyone = read_requests(connection, budget)
    load = load_words.sentences(load_of(connection, everyone, budget, filters))
    steady = consistency_words.sentences(consistency_of(connection, everyone.select(filters), budget))
    return ["<h2>Under load, and how steady</h2>", *(f"<p>{prose(sentence)}</p>" for sentence in (*load, *steady))]


def _waterfalls(connection: duckdb.DuckDBPyConnection, budget: Budget | None, filters: Filters) -> list[str]:
    """Three that tell most: a typical request, one at p95, the slowest."""
    table = read_requests(connection, budget).select(filters)
    wanted = [
        ("A typical request", around(table, 50)),
        ("A request at p95", around(table, 95)),
        ("The slowest request", slowest(table, 1)),
    ]
    parts: list[str] = []
    seen: set[str] = set()
    for title, rows in wanted:
        for one in describe(connection, table, rows[:1]):
            if one.trace_id not in seen:
                seen.add(one.trace_id)
                took = format_duration(one.latency_ns)
                parts.append(f"<h3>{title}: {took}</h3><p class='soft'>trace {escape(one.trace_id)}</p>")
                parts.append(waterfall_svg(load_trace(connection, one.trace_id)))
    return ["<h2>Waterfalls</h2>", "<p class='soft'>The dark line is the critical path.</p>", *parts] if parts else []
