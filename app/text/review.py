"""The review as blocks: what it says in every output format, and in which order."""

from overbudget.analysis.budget.caps import MAIN_PERCENTILE
from overbudget.analysis.common.durations import format_change, format_duration
from overbudget.analysis.review.result import Review
from overbudget.app.text.blocks import Block, Column, Headline, Notes, Sentence, and_more
from overbudget.app.text.burn_down import burn_down_blocks
from overbudget.app.text.consistency import conversation_sentence
from overbudget.app.text.headline import also, headline
from overbudget.app.text.notes import notes, warned
from overbudget.app.text.objective import objective_blocks
from overbudget.app.text.tables import (
    MADE_OF,
    average_rows,
    breakdown_rows,
    call_lines,
    culprit_rows,
    percentile_rows,
    route_rows,
    rows_table,
)
from overbudget.app.text.words import count


def review_blocks(review: Review) -> list[Block]:
    """The whole review: the answer, its tables, and notes."""
    first, second = headline(review)
    tables = []
    if review.end_to_end and review.end_to_end[0].n:
        tables = [
            *latency_tables(review),
            *breakdown_table(review),
            *burn_down_blocks(review),
            *cause_tables(review),
            *objective_blocks(review),
        ]
    said = review_notes(review)
    return [
        Headline(first),
        Sentence(second),
        *(Sentence(text) for text in also(review)),
        *(Sentence(text) for text in warned(review)),
        *tables,
        *([Notes(tuple(said))] if said else []),
        Sentence(facts_text(review), "soft"),
    ]


def latency_tables(review: Review) -> list[Block]:
    """The percentiles of the whole request and of each stage; averages where no percentile can be given."""
    title, average = "Latency of the whole request and of each stage", "What the requests are made of on average"
    return [
        *rows_table(title, percentile_rows(review), _percentiles(review)),
        *rows_table(average, average_rows(review), ["time", "share"]),
        *rows_table("Each model call", call_lines(review), _percentiles(review)),
    ]


def breakdown_table(review: Review, title: str = MADE_OF) -> list[Block]:
    """What the requests around each percentile are made of."""
    return rows_table(title, breakdown_rows(review), _percentiles(review), folded=True)


def cause_tables(review: Review) -> list[Block]:
    """Where the overrun comes from, and the routes."""
    columns = [Column("stage", "name"), Column("overrun"), Column("blame"), Column("operation", "prose")]
    routes = route_rows(review)
    more = and_more(len(review.routes) + review.other_routes - len(routes))
    return [
        *rows_table("Where the overrun comes from", culprit_rows(review), columns, folded=True),
        *rows_table("Routes", routes, ["requests", *_percentiles(review)], "route", folded=True, more=more),
    ]


def review_notes(review: Review) -> list[str]:
    """How many answers were good, and what else a reader should know."""
    good = good_text(review)
    return [*([good, *good_sentences(review)] if good else []), *notes(review)]


def _percentiles(review: Review) -> list[str]:
    return [f"p{percentile}" for percentile in review.percentiles]


def good_text(review: Review) -> str | None:
    """How many answers were good, and good in time; None where nothing is recorded."""
    good = review.good
    if good is None:
        return None
    if good.good is None:
        advice = "to say which are good, set [good] score = { at_least = 0.7 } in the budget"
        return f"{count(good.requests_scored, 'answer')} scored; {advice}."
    share = good.good / good.requests_scored
    text = f"{good.good:,} of {count(good.requests_scored, 'scored answer')} good ({share:.0%})"
    if good.good_within_budget is None:
        return f"{text}."
    within = f"{good.good_within_budget / good.requests_scored:.0%}"
    limit = f" of {format_duration(good.budget_ns)}" if good.budget_ns is not None else ""
    return f"{text}; {good.good_within_budget:,} good and within the p{MAIN_PERCENTILE} cap{limit} ({within})."


def good_sentences(review: Review) -> list[str]:
    """Where good answers certainly take longer or shorter than the others, and the time to a conversation's first one."""
    good = review.good
    if good is None:
        return []
    said = [
        f"Good answers are {one.verdict} than the others at p{one.percentile}: {format_duration(one.good_ns)} against "
        f"{format_duration(one.others_ns)} (difference {format_change(one.ci_low_ns or 0)} to {format_change(one.ci_high_ns or 0)})."
        for one in good.against_others
        if one.verdict in ("slower", "faster")
    ]
    return [*said, *([conversation_sentence(good.conversations)] if good.conversations else [])]


def facts_text(review: Review) -> str:
    """What the review is about: requests, spans, time."""
    facts = review.dataset
    chosen = review.selected["requests"]
    requests = count(chosen, "request")
    if chosen + review.selected["incomplete_left_out"] != facts.requests:
        requests = f"{requests} of {facts.requests:,}"
    if facts.start is None or facts.end is None:
        return f"{requests}."
    span = f"{facts.start[:19].replace('T', ' ')} to {facts.end[:19].replace('T', ' ')} UTC"
    if not chosen and review.selected["incomplete_left_out"] == facts.requests:
        requests = f"{count(facts.requests, 'request')}, none of them complete"
    return f"{requests}, {count(facts.spans, 'span')}, {span}."
