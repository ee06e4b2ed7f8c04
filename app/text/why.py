"""Which stage, operation or service is the cause, in plain sentences: docs/reference/method.md, "Budgets and verdicts"."""

from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.review.parts_over import PartsOver
from overbudget.analysis.review.result import (
    AllSlow,
    Breakdown,
    CauseOperation,
    Culprit,
    Review,
    ServicePart,
    Suspect,
    too_many_lost,
)
from overbudget.analysis.review.rows import PercentileRow
from overbudget.app.text.words import capital, count, listed, operation_text, quoted, stage_name
from overbudget.stages.names import MUCH_UNATTRIBUTED, UNATTRIBUTED

FEWEST_LAST = 3  # parts over a cap at the end, to tell since when


def why(review: Review, row: PercentileRow) -> str:
    """The sentence about the stage that explains the total at `row`."""
    made_of = review.made_of(row.percentile)
    if too_many_lost(made_of.band_requests, made_of.band_incomplete):
        return cannot_be_told(made_of)
    if made_of.band_latency_ns is None:
        return f"Too few requests are that slow to say which stage is the cause ({made_of.band_requests}; at least 5 are needed)."
    culprit = made_of.culprit
    if culprit is None and made_of.any_of:
        return f"Everything is slow, typical requests too. {_any_of(made_of.any_of, made_of.band_latency_ns - (row.budget_ns or 0))}"
    if culprit is None:
        return largest(made_of)
    if culprit.basis == "largest":
        return f"Everything is slow, typical requests too: {_largest_part(culprit, made_of.band_latency_ns)}."
    if (said := unexplained(culprit, made_of)) is not None:
        return capital(said)
    mean = next(stage.mean_ns for stage in made_of.stages if stage.stage == culprit.stage)
    takes = format_duration(mean, next_to_ns=made_of.band_latency_ns)
    over = f"{format_duration(culprit.overrun_ns)} {basis(culprit, made_of)}"
    text = f"{stage_name(culprit.stage)} takes {takes} of it, {over}{because(culprit)}."
    if culprit.basis == "typical" and any(stage.budget_ns is not None for stage in made_of.stages):
        return f"No stage is over its cap; {text}"
    return capital(text)


def cannot_be_told(made_of: Breakdown) -> str:
    of = f"{made_of.band_incomplete:,} of the {count(made_of.band_requests + made_of.band_incomplete, 'request')}"
    return f"Which stage is the cause is unknown: {of} around p{made_of.percentile} lost spans."


def unexplained(culprit: Culprit, made_of: Breakdown) -> str | None:
    """The operation itself, where no stage explains the time and its growth does."""
    operation = culprit.operation
    if culprit.stage != UNATTRIBUTED or culprit.basis != "typical" or operation is None or not operation.tail:
        return None
    takes = format_duration(operation.mean_ns, next_to_ns=made_of.band_latency_ns)
    return (
        f"{operation_text(operation)} takes {takes} of it, {format_duration(operation.excess_ns)} more than in typical requests"
        f"{_only_ran(operation)}."
    )


def largest(made_of: Breakdown) -> str:
    if not made_of.stages:
        return "They take no time at all."
    stage = max(made_of.stages, key=lambda found: found.mean_ns)
    if stage.stage == UNATTRIBUTED and stage.share > MUCH_UNATTRIBUTED and made_of.services:
        found = made_of.largest_unattributed
        if found is not None and found.operation is not None:
            return _largest_operation(found.operation, made_of.band_latency_ns)
        return _largest_service(made_of.services[0], made_of.band_latency_ns)
    takes = format_duration(stage.mean_ns, next_to_ns=made_of.band_latency_ns)
    return capital(f"{stage_name(stage.stage)} takes the largest part of it, {takes} ({stage.share:.0%}).")


def _largest_operation(operation: CauseOperation, latency_ns: int | None) -> str:
    """Where no stage explains most of the time: the operation that takes most of it."""
    takes = format_duration(operation.mean_ns, next_to_ns=latency_ns)
    share = f" ({operation.mean_ns / latency_ns:.0%})" if latency_ns else ""
    return (
        f"No stage explains most of it; {operation_text(operation)} takes most, {takes}{share}{_only_ran(operation)}."
    )


def _largest_service(part: ServicePart, latency_ns: int | None) -> str:
    """Where no stage explains most of the time: the service that takes most of it."""
    takes = format_duration(part.mean_ns, next_to_ns=latency_ns)
    return f"No stage explains most of it; of the services {quoted(part.service_name)} takes most, {takes} ({part.share:.0%})."


def basis(culprit: Culprit, made_of: Breakdown) -> str:
    if culprit.basis != "cap":
        return "more than in typical requests"
    cap = next(stage.budget_ns for stage in made_of.stages if stage.stage == culprit.stage)
    return f"over its cap of {format_duration(cap)}"


def because(culprit: Culprit) -> str:
    if culprit.operation is None:
        return ""
    return f"{_reason(culprit.operation)}{_only_ran(culprit.operation)}"


def _only_ran(operation: CauseOperation) -> str:
    """The caveat where a cause's time only passed while it ran: nothing shows that the request waited for it."""
    if operation.awaited_share >= 0.5:
        return ""
    return "; it ran then, and the trace does not show that the request waited for it"


def _reason(operation: CauseOperation) -> str:
    name = quoted(operation.name)
    if not operation.tail:
        waiting = f", waiting for {quoted(operation.hop_to)}" if operation.hop_to else ""
        return f"; the largest part of it is {name}{waiting}, in typical requests too"
    if operation.hop_to is None:
        return f"; {name} is why{_grown(operation)}"
    place = quoted(operation.hop_to)
    if operation.callee_ns is None:
        return f"; {name} waiting for {place} is why{_grown(operation)}"
    passes = format_duration(operation.mean_ns)
    return f"; {passes} pass before {place} starts on {name}, which then runs {format_duration(operation.callee_ns)}"


def _grown(operation: CauseOperation) -> str:
    """Why it grew, unless each call merely takes longer, which was said already."""
    why = operation.why
    if why is None or (abs(why.how_slow_ns) > abs(operation.excess_ns) / 2 and why.width == 1):
        return ""
    return f" ({why.sentence})"


def all_slow(found: AllSlow) -> list[str]:
    """Every request exceeds the cap, although they may be too few for a verdict."""
    cap, took = format_duration(found.budget_ns), format_duration(found.latency_ns)
    each = "The one request takes" if found.requests == 1 else f"All {found.requests:,} requests take"
    average = "" if found.requests == 1 else " on average"
    first = f"{each} longer than the p{found.percentile} cap of {cap}: {took}{average}."
    if found.culprit is not None:
        return [first, capital(f"{_largest_part(found.culprit, found.latency_ns)}.")]
    return [first, _any_of(found.any_of, found.latency_ns - found.budget_ns)]


def _largest_part(culprit: Culprit, latency_ns: int) -> str:
    operation = culprit.operation
    of = format_duration(latency_ns)
    if operation is None:
        return f"{stage_name(culprit.stage)} is the largest part of the {of}"
    takes = format_duration(operation.mean_ns, next_to_ns=latency_ns)
    inside = "" if culprit.stage == UNATTRIBUTED else f"in {stage_name(culprit.stage)}, "
    return f"{inside}{operation_text(operation)} is the largest part, {takes} of {of}{_only_ran(operation)}"


def _any_of(suspects: tuple[Suspect, ...], over_ns: float) -> str:
    named = [
        f"{operation_text(one.operation) if one.operation else stage_name(one.stage)} ({format_duration(one.mean_ns)})"
        for one in suspects
    ]
    if len(named) > 1:
        return f"Any of {listed(named)} alone is as long as the {format_duration(over_ns)} over; nothing shows which changed."
    if named:
        return f"No part makes up half of it; the largest is {named[0]}."
    return "There is nothing to break down."


def overall(review: Review) -> str:
    overall = review.overall
    if overall is None or not overall.stages:
        return (
            "Where their time went is not known: spans are missing."
            if review.incomplete
            else "There is nothing to break down."
        )
    stage = max(overall.stages, key=lambda found: found["mean_ns"])
    if stage["stage"] == UNATTRIBUTED and stage["share"] > MUCH_UNATTRIBUTED and overall.services:
        return _largest_service(overall.services[0], overall.latency_ns)
    takes = format_duration(stage["mean_ns"], next_to_ns=overall.latency_ns)
    return capital(f"{stage_name(stage['stage'])} takes the largest part of it, {takes} ({stage['share']:.0%}).")


def lately(found: PartsOver) -> str:
    """How much of the time a percentile that cannot be judged was over its cap, and since when."""
    what = f"p{found.percentile} is over its cap of {format_duration(found.budget_ns)}"
    if found.over == found.parts:
        return f"In each of {found.parts} equal parts of them {what}."
    if found.last >= FEWEST_LAST and found.since is not None:
        begins = found.since[:19].replace("T", " ")
        return f"In each of the last {found.last} of {found.parts} equal parts of them (from {begins} UTC on) {what}."
    return f"In {found.over} of {found.parts} equal parts of them {what}."
