"""The review in two plain sentences: the same words on the page, on the command line and in the report."""

from collections.abc import Sequence

from overbudget.analysis.budget.caps import MAIN_PERCENTILE
from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.common.effective_size import LEAST
from overbudget.analysis.review.result import Review, too_many_lost
from overbudget.analysis.review.rows import TOTAL, PercentileRow, StageRow
from overbudget.app.text.first_token import late_first_token, what_of
from overbudget.app.text.limits import limit_sentences
from overbudget.app.text.why import all_slow, basis, because, cannot_be_told, largest, lately, overall, unexplained, why
from overbudget.app.text.words import capital, count, listed, needs, percent, quoted, stage_name


def headline(review: Review) -> list[str]:
    """Two sentences (each may have a second clause): how the whole request does, and which stage and operation are why.

    Names from the data stand in backquotes, cut and without line breaks; they are not escaped otherwise.
    """
    if not review.end_to_end or review.end_to_end[0].n == 0:
        return _nothing(review)
    first, second = _answer(review)
    failing = next((row for row in review.end_to_end if row.failed), None)
    if failing is None and review.failed and review.failed["share"]:
        first = f"{first.removesuffix('.')}; {percent(review.failed['share'])} fail{_apart(review)}."
    return [first, second]


def _answer(review: Review) -> list[str]:
    failing = _worst([row for row in review.end_to_end if row.failed], "over")
    if failing is not None:
        return _failing(review, failing)
    worst = _worst(review.end_to_end, "over") or _worst(review.end_to_end, "at_risk")
    if worst is not None:
        return [_total(review, worst), why(review, worst)]
    known = [row for row in review.end_to_end if row.needs is None]
    if not known:
        return all_slow(review.all_slow) if review.all_slow else _too_few(review)
    within = [row for row in review.end_to_end if row.verdict == "within"]
    usual = next((row for row in reversed(known) if row.percentile <= MAIN_PERCENTILE), known[-1])
    row = within[-1] if within else usual
    said = _late(review) or _stage_over(review) or _route_over(review) or _limit_exceeded(review)
    return [_total(review, row), said or _calm(review, row)]


def _failing(review: Review, row: PercentileRow) -> list[str]:
    failed = review.failed or {}
    between = (
        f" (95%: {percent(failed['ci_low'])} – {percent(failed['ci_high'])})"
        if failed.get("ci_low") is not None
        else ""
    )
    first = (
        f"{percent(failed['share'])} of {count(row.n, 'request')} fail{between}, so p{row.percentile} is over any cap."
    )
    made_of = review.made_of(row.percentile)
    if (made_of.culprit is not None and made_of.culprit.basis == "largest") or made_of.any_of:
        is_ = (
            f"p{row.percentile} is {format_duration(row.latency_ns)} against a cap of {format_duration(row.budget_ns)}"
        )
        return [first, f"{is_}. {why(review, row)}"]
    slow = _worst([other for other in review.end_to_end if not other.failed], "over")
    if slow is not None:
        return [first, f"And {_total(review, slow)}"]
    latency, cap = format_duration(row.latency_ns), format_duration(row.budget_ns)
    return [
        first,
        f"The latency over all of them (p{row.percentile} {latency}, cap {cap}) says nothing about a failed request.",
    ]


def _apart(review: Review) -> str:
    return " and are left out" if review.failures_apart else ""


def _nothing(review: Review) -> list[str]:
    left_out = review.selected["incomplete_left_out"]
    if left_out:
        return [
            f"There are only incomplete requests here ({left_out:,}).",
            "Their times are uncertain, because spans or ends are missing; --include-incomplete shows them anyway.",
        ]
    if review.selected["filters"] and review.dataset.requests:
        return ["No request passes these filters.", f"Without them there are {review.dataset.requests:,}."]
    if review.dataset.spans:
        return [
            "There are spans but no requests.",
            "Check [request] in the budget: its `match` names the spans that count.",
        ]
    return [
        "There are no requests in this dataset.",
        "Read a dump with spans in it: overbudget ingest DUMP --to FILE.duckdb.",
    ]


def _worst(rows: Sequence[PercentileRow], verdict: str) -> PercentileRow | None:
    """The highest percentile with that verdict, one with a full interval first."""
    rows = [row for row in rows if row.verdict == verdict]
    return next((row for row in reversed(rows) if row.needs is None), rows[-1] if rows else None)


def _total(review: Review, row: PercentileRow) -> str:
    latency = row.latency_ns or 0
    cap = row.budget_ns
    name = f"p{row.percentile}"
    if (
        row.verdict == "over"
        and row.needs is not None
        and row.ci_low_ns is not None
        and cap is not None
        and not row.failed
    ):
        least = f"{format_duration(row.ci_low_ns - cap)} or more over its cap of {format_duration(cap)}"
        return f"{name} of {count(row.n, 'request')} is at least {format_duration(row.ci_low_ns)}, {least}."
    if row.verdict == "over" and cap is not None:
        return f"{name} is {format_duration(latency)}, {format_duration(latency - cap)} over its cap of {format_duration(cap)}."
    if row.verdict == "at_risk" and cap is not None:
        between = f"between {format_duration(row.ci_low_ns)} and {format_duration(row.ci_high_ns)}"
        return (
            f"{name} is {format_duration(latency)}, {format_duration(latency - cap)} over its cap of {format_duration(cap)}, "
            f"but {count(row.n, 'request')} only show that it lies {between}."
        )
    if row.verdict == "within":
        unjudged = [
            other for other in review.end_to_end if other.verdict == "unknown" and other.percentile > row.percentile
        ]
        alike = [other for other in unjudged if other.independence == "unknown"]
        few = [other for other in unjudged if other.independence != "unknown"]
        but = f"; too few requests to judge {needs(few)}" if few else ""
        but += f"; they are too alike to judge {listed([f'p{other.percentile}' for other in alike])}" if alike else ""
        return f"{name} is {format_duration(latency)}, within its cap of {format_duration(cap)}{but}."
    if review.budget is None:
        return f"{name} is {format_duration(latency)}; no budget is set."
    if cap is not None:
        return (
            f"{name} is {format_duration(latency)} against a cap of {format_duration(cap)}, which could not be judged."
        )
    limit = next((one for one in review.limits if one.stage == TOTAL and one.verdict == "within"), None)
    if limit is not None:
        longest = format_duration(limit.longest_ns)
        return f"{name} is {format_duration(latency)}; the longest takes {longest}, within the limit of {format_duration(limit.limit_ns)}."
    if any(one.stage == TOTAL for one in review.limits):
        return f"{name} is {format_duration(latency)}; the budget has a limit for the whole request, and no cap at a percentile."
    return f"{name} is {format_duration(latency)}; the budget has no cap for the whole request."


def _late(review: Review) -> str | None:
    said = late_first_token(review)
    return f"But {said}." if said else _calls_over(review)


def _calls_over(review: Review) -> str | None:
    """The figure of model calls that exceeds its cap by the largest share, while the whole request is within its own."""
    rows = [row for row in review.calls if row.verdict == "over" and row.latency_ns and row.budget_ns]
    if not rows:
        return None
    row = max(rows, key=lambda one: (one.latency_ns or 0) / (one.budget_ns or 1))
    by = format_duration((row.latency_ns or 0) - (row.budget_ns or 0))
    is_ = f"But p{row.percentile} of {what_of(row)} is {format_duration(row.latency_ns)}"
    return f"{is_}, {by} over its cap of {format_duration(row.budget_ns)}."


def also(review: Review) -> list[str]:
    """What the headline has no room for: a late first token, where the whole request is over its cap too."""
    said = late_first_token(review)
    return [] if said is None or any(said in sentence for sentence in headline(review)) else [capital(f"{said}.")]


def _stage_over(review: Review) -> str | None:
    """The stage that exceeds its cap by most, while the whole request is within its own."""
    rows = [row for row in review.stages if row.verdict == "over"]
    if not rows:
        return None
    row: StageRow = max(rows, key=lambda found: (found.ci_low_ns or 0) - (found.budget_ns or 0))
    by = format_duration((row.latency_ns or 0) - (row.budget_ns or 0))
    over = f"{by} over its cap of {format_duration(row.budget_ns)}"
    culprit = review.made_of(row.percentile).culprit
    why = because(culprit) if culprit is not None and culprit.stage == row.stage else ""
    return f"But p{row.percentile} of {stage_name(row.stage)} is {format_duration(row.latency_ns)}, {over}{why}."


def _route_over(review: Review) -> str | None:
    for route in review.routes:
        for row in reversed(route.end_to_end):
            if row.verdict == "over":
                by = format_duration((row.latency_ns or 0) - (row.budget_ns or 0))
                took = format_duration(row.latency_ns)
                return f"But p{row.percentile} of {quoted(route.route)} is {took}, {by} over its own cap of {format_duration(row.budget_ns)}."
        for first in reversed(route.first_token):
            if first.verdict == "over":
                by = format_duration((first.latency_ns or 0) - (first.budget_ns or 0))
                is_ = f"But p{first.percentile} of the first token in {quoted(route.route)} is {format_duration(first.latency_ns)}"
                return f"{is_}, {by} over its own cap of {format_duration(first.budget_ns)}."
        for stage in reversed(route.stages):
            if stage.verdict == "over":
                by = format_duration((stage.latency_ns or 0) - (stage.budget_ns or 0))
                where = f"p{stage.percentile} of {stage_name(stage.stage)} in {quoted(route.route)}"
                return f"But {where} is {format_duration(stage.latency_ns)}, {by} over its own cap of {format_duration(stage.budget_ns)}."
    return None


def _calm(review: Review, row: PercentileRow) -> str:
    """Nothing is over: say so, or what may be, or (without a budget) where the tail comes from."""
    if row.verdict != "within":
        made_of = review.made_of(row.percentile)
        culprit = made_of.culprit
        if too_many_lost(made_of.band_requests, made_of.band_incomplete):
            return cannot_be_told(made_of)
        if made_of.band_latency_ns is None:
            return overall(review)
        if culprit is None and made_of.natural_spread:
            return f"No part grows more than the others in slow requests: this is natural spread. {largest(made_of)}"
        if culprit is None:
            return largest(made_of)
        if (said := unexplained(culprit, made_of)) is not None:
            return capital(said)
        more = f"{format_duration(culprit.overrun_ns)} {basis(culprit, made_of)}"
        return capital(f"{stage_name(culprit.stage)} takes {more}{because(culprit)}.")
    first = next((one for one in reversed(review.first_token) if one.verdict == "at_risk"), None)
    if first is not None:
        between = f"between {format_duration(first.ci_low_ns)} and {format_duration(first.ci_high_ns)}"
        cap = format_duration(first.budget_ns)
        return f"The first token may be over its cap of {cap}: its p{first.percentile} is {between}."
    risky = [stage for stage in review.stages if stage.verdict == "at_risk"]
    if risky:
        stage = max(risky, key=lambda found: (found.latency_ns or 0) / (found.budget_ns or 1))
        between = f"between {format_duration(stage.ci_low_ns)} and {format_duration(stage.ci_high_ns)}"
        cap = format_duration(stage.budget_ns)
        return capital(f"{stage_name(stage.stage)} may be over its cap of {cap}: its p{stage.percentile} is {between}.")
    if any(one.verdict == "unknown" for one in review.first_token):
        return "Whether the first token keeps its cap could not be judged."
    judged = [stage for stage in review.stages if stage.verdict is not None]
    if any(stage.verdict == "unknown" for stage in judged):
        return "No stage is known to be over its cap, but not every one could be judged."
    if judged:
        return "Every stage is within its cap."
    spare = format_duration((row.budget_ns or 0) - (row.latency_ns or 0))
    return f"It is {spare} below the cap; no stage has a cap of its own."


def _limit_exceeded(review: Review) -> str | None:
    """The first limit that single requests or calls exceed, while every percentile that is known keeps its cap."""
    said = limit_sentences(review)
    return f"But {said[0]}" if said else None


def _too_few(review: Review) -> list[str]:
    """No percentile has an interval: too few requests, or too alike."""
    n = review.end_to_end[0].n
    shown = [row for row in review.end_to_end if row.reached]
    if not shown:
        needs = min((row.needs or 0, row.percentile) for row in review.end_to_end)
        took = format_duration(review.overall.latency_ns if review.overall else review.end_to_end[0].latency_ns)
        average = "" if n == 1 else " on average"
        first = f"{count(n, 'request')} took {took}{average}: too few for percentiles (p{needs[1]} needs {needs[0]})."
        return [first, overall(review)]
    row = next((one for one in reversed(shown) if one.percentile <= MAIN_PERCENTILE), shown[-1])
    is_ = f"p{row.percentile} of these {n:,} requests is {format_duration(row.latency_ns)}"
    if n < LEAST:
        return [f"{is_}; fewer than {LEAST} requests show no more than that.", overall(review)]
    if review.parts_over is not None and review.parts_over.over:
        return [f"{is_}. {lately(review.parts_over)}", why(review, row)]
    window = format_duration(review.window_ns)
    return [
        f"{is_}; they are too alike to show more: in these {window} conditions change too rarely.",
        overall(review),
    ]
