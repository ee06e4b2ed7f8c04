"""The report to share after a review: one HTML file, without scripts, fonts or anything from a network."""

from html import escape

import duckdb

from overbudget.analysis.advice.advice import proposals, weigh
from overbudget.analysis.allocate.allocate import allocate
from overbudget.analysis.budget.caps import MAIN_PERCENTILE
from overbudget.analysis.budget.model import Budget
from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.consistency.consistency import consistency_of
from overbudget.analysis.health.unclassified import unclassified
from overbudget.analysis.load.load import load_of
from overbudget.analysis.requests.read import read_requests
from overbudget.analysis.requests.table import Filters
from overbudget.analysis.review.examples import around, describe, slowest
from overbudget.analysis.review.result import Review
from overbudget.analysis.tail.tail import tail
from overbudget.analysis.trace.trace import load_trace
from overbudget.analysis.whatif.whatif import Workbench
from overbudget.app.charts.parts import key_of
from overbudget.app.html.blocks import html
from overbudget.app.html.prose import prose
from overbudget.app.html.svg import breakdown_svg, waterfall_svg
from overbudget.app.text.advice import advice_blocks
from overbudget.app.text.allocate import allocation_blocks
from overbudget.app.text.audit import unclassified_blocks
from overbudget.app.text.blocks import Notes, Sentence, opening
from overbudget.app.text.burn_down import burn_down_blocks
from overbudget.app.text.consistency import sentences as consistency_sentences
from overbudget.app.text.consistency import token_table
from overbudget.app.text.headline import also, headline
from overbudget.app.text.load import goodput_table
from overbudget.app.text.load import sentences as load_sentences
from overbudget.app.text.notes import warned
from overbudget.app.text.objective import objective_blocks
from overbudget.app.text.review import breakdown_table, cause_tables, facts_text, latency_tables, review_notes
from overbudget.app.text.side_by_side import side_by_side_blocks
from overbudget.app.text.tables import MADE_OF
from overbudget.app.text.tail import tail_blocks
from overbudget.store.errors import OverbudgetError

STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 1000px; margin: 2.2rem auto; padding: 0 1.2rem; color: #1d2733; background: #fff; }
h1 { font-size: 1.55rem; line-height: 1.25; margin: 0 0 .3rem; } h2 { font-size: 1.12rem; margin: 2.1rem 0 .5rem; } h3 { font-size: 1rem; margin: 1.3rem 0 .3rem; }
p { margin: .25rem 0; } .soft, caption { color: #5d6873; fill: #5d6873; font-size: .88rem; } code { font-size: .92em; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0; } caption { text-align: left; padding-bottom: .3rem; width: 0; } caption span { display: block; width: max-content; max-width: min(60rem, 100vw - 2.4rem); } /* as wide as the page, however narrow the table */
th, td { text-align: right; padding: .28rem .7rem; border-bottom: 1px solid #d9dee3; white-space: nowrap; } th { font-weight: 500; color: #5d6873; }
td small { display: block; font-size: .78em; font-weight: 400; } th:first-child, td:first-child, .left { text-align: left; padding-left: 0; white-space: normal; overflow-wrap: anywhere; min-width: 6.5rem; } td.soft { font-size: .88em; white-space: normal; min-width: 5.5rem; } tr.total td { font-weight: 600; }
td.over { background: #c8102e; color: #fff; } td.at_risk { background: #f2c14e; color: #1d1d1d; } td.unknown { color: #6d7680; }
svg .soft { font-size: inherit; } .key span { margin-right: 1rem; white-space: nowrap; } .key i { display: inline-block; width: .7em; height: .7em; margin-right: .35em; }
svg { width: 100%; height: auto; font: 12px system-ui, sans-serif; fill: currentColor; } .scroll { overflow-x: auto; } .points { list-style: none; padding-left: 0; margin: .25rem 0; } pre { white-space: pre-wrap; font-size: .85rem; }
@media (prefers-color-scheme: dark) { body { background: #12161b; color: #e3e8ed; } th, .soft, caption { color: #9aa6b2; fill: #9aa6b2; } th, td { border-color: #303841; } }
@media screen and (max-width: 700px) { svg { min-width: 640px; } th, td { padding: .28rem .4rem; } th { white-space: normal; vertical-align: bottom; }
  .percentiles tr { display: grid; grid-auto-flow: column; grid-template-columns: 7rem; grid-auto-columns: 6.7rem; } .percentiles .soft { display: none; }
  .percentiles :is(th, td) { order: 2; } .percentiles .first { order: 1; } .percentiles tr > :first-child { order: 0; min-width: 0; } }
@media print { body { margin: 0; max-width: none; font-size: 11pt; background: #fff; color: #000; } h2 { break-after: avoid; } svg { min-width: 0; } table, svg, .points { break-inside: avoid; } table { font-size: 9pt; width: 100%; } th, td { padding: .15rem .3rem; } .scroll { overflow: visible; } td.over, td.at_risk, rect, .key i { print-color-adjust: exact; } }
"""


def review_html(
    connection: duckdb.DuckDBPyConnection, name: str, review: Review, budget: Budget | None, filters: Filters
) -> str:
    """The whole report of a dataset called `name`: review, tail, advice, limits, load and spread, three waterfalls."""
    first, *others = [*headline(review), *also(review), *warned(review)]
    bench = Workbench(connection, budget, filters)
    parts = [
        f"<h1>{prose(first)}</h1>",
        *(f"<p>{prose(sentence)}</p>" for sentence in others),
        f'<p class="soft">{escape(name)}: {escape(facts_text(review))}</p>',
        *_review(review),
        *_tail(connection, budget, filters),
        *_advice(bench, name, budget, filters),
        *_limits(bench, review),
        *_behaviour(connection, budget, filters),
        *_unclassified(connection, budget),
        *_waterfalls(connection, budget, filters),
        html([Notes(tuple(review_notes(review)))]),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Latency review: {escape(name)}</title><style>{STYLE}</style></head><body><main>{''.join(parts)}</main></body></html>\n"
    )


def _review(review: Review) -> list[str]:
    return [
        html(latency_tables(review)),
        f"<h2>{MADE_OF}</h2>" if any(b.stages for b in review.breakdown) else "",
        breakdown_svg(review),
        _key(review),
        html([*breakdown_table(review, "The same in figures"), *burn_down_blocks(review), *cause_tables(review)]),
        html(objective_blocks(review)),
    ]


def _key(review: Review) -> str:
    """Which colour is which stage or service in the bars."""
    entries = "".join(
        f'<span><i style="background:{colour}"></i>{escape(name)}</span>' for name, colour in key_of(review)
    )
    return f'<p class="key">{entries}</p>' if entries else ""


def _tail(connection: duckdb.DuckDBPyConnection, budget: Budget | None, filters: Filters) -> list[str]:
    try:
        blocks = tail_blocks(tail(connection, budget, filters))
    except OverbudgetError as error:
        blocks = [Sentence(str(error))]
    return ["<h2>The tail</h2>", html(blocks)]


def _advice(bench: Workbench, name: str, budget: Budget | None, filters: Filters) -> list[str]:
    advice = weigh(bench, proposals(bench), f"{name}.duckdb", budget, filters)
    return ["<h2>What to do</h2>", html(advice_blocks(advice))]


def _limits(bench: Workbench, review: Review) -> list[str]:
    """Limits for every stage that would keep the whole request within its cap, where it certainly exceeds it; nothing where
    no stage can be limited."""
    row = next((one for one in review.end_to_end if one.percentile == MAIN_PERCENTILE), None)
    if row is None or row.verdict != "over" or row.failed or row.budget_ns is None:
        return []
    try:
        found = allocate(bench, MAIN_PERCENTILE, row.budget_ns)
    except OverbudgetError:
        return []
    return ["<h2>Limits for each stage</h2>", html(allocation_blocks(found))]


def _behaviour(connection: duckdb.DuckDBPyConnection, budget: Budget | None, filters: Filters) -> list[str]:
    everyone = read_requests(connection, budget)
    under_load = load_of(connection, everyone, budget, filters)
    load = [*opening(load_sentences(under_load)), *goodput_table(under_load)]
    steadiness = consistency_of(connection, everyone.select(filters), budget)
    steady = [*opening(consistency_sentences(steadiness)), *side_by_side_blocks(steadiness.side_by_side)]
    return ["<h2>Under load, and how steady</h2>", html([*load, *steady, *token_table(steadiness.tokens)])]


def _unclassified(connection: duckdb.DuckDBPyConnection, budget: Budget | None) -> list[str]:
    """Spans on which something known is recorded although they have no stage; a budget's own rules may give them one."""
    blocks = [] if budget is not None and budget.rules else unclassified_blocks(unclassified(connection))
    return ["<h2>Spans without a stage</h2>", html(blocks)] if blocks else []


def _waterfalls(connection: duckdb.DuckDBPyConnection, budget: Budget | None, filters: Filters) -> list[str]:
    """Three waterfalls: a typical request, one at p95, and the slowest."""
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
