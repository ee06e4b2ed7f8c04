"""What a reader of a review should know in addition to its headline."""

from overbudget.analysis.budget.caps import MAIN_PERCENTILE
from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.common.effective_size import LEAST
from overbudget.analysis.review.measure import LostSpans
from overbudget.analysis.review.result import Review, Waited, much_unattributed
from overbudget.app.text.deployments import deployment_sentences
from overbudget.app.text.first_token import token_notes
from overbudget.app.text.limits import limit_sentences
from overbudget.app.text.words import count, listed, needs, quoted


def notes(review: Review) -> list[str]:
    """What else a reader should know: what was left out, what cannot be known, and names in the budget that nothing matches."""
    any_request = bool(review.end_to_end and review.end_to_end[0].n)
    sampled = review.dataset.sampled
    return [
        *(
            [f"{sampled}: percentiles and shares are of the sample, each request weighted by how many it stands for."]
            if sampled
            else []
        ),
        *deployment_sentences(review.deployments),
        *([_waited_text(review, review.waited)] if review.waited else []),
        *(_incomplete_notes(review) if any_request else []),
        *(_certainty_notes(review) if any_request else []),
        *limit_sentences(review),
        *_breakdown_notes(review),
        *(token_notes(review) if any_request else []),
        *review.remarks,
        *(f"No span is classified as {stage}, so its cap cannot be judged." for stage in review.unmatched["stages"]),
        *(
            f"The budget caps calls to {quoted(model)}, but no model call names such a model."
            for model in review.unmatched["models"]
        ),
        *(f"The budget names the route {quoted(route)}, which no request has." for route in review.unmatched["routes"]),
    ]


_NO_WHOLE_RUNS = {
    "fragments": "model or tool calls cut off from their run: percentiles speak of single steps, not of whole runs",
    "lost_context": "pieces of others, cut off where the trace context was lost: percentiles count each piece",
    "session_root": "whole sessions of many turns: their latency is the length of the session",
}


def warned(review: Review) -> list[str]:
    """What must be known before any figure: that requests are parts of runs, or hold several."""
    said = []
    for warning in review.dataset.warnings:
        of = f"{warning.count:,} of {count(review.dataset.requests, 'request')} {'is one of the' if warning.count == 1 else 'are'}"
        said.append(f"{of} {_NO_WHOLE_RUNS[warning.code]} (`{warning.code}`; overbudget audit says what to do).")
    return said


def _waited_text(review: Review, waited: Waited) -> str:
    """How many requests waited for a person, and how long requests take with that."""
    known = [one for one in waited.with_wait if one.duration_ns is not None]
    spoken = next((one for one in reversed(known) if one.percentile <= MAIN_PERCENTILE), known[-1] if known else None)
    who = f"{waited.requests:,} of {count(review.selected['requests'], 'request')} waited for a person"
    took = f"half of them {format_duration(waited.median_ns)} or less, the longest {format_duration(waited.longest_ns)}"
    whole = f" With it p{spoken.percentile} is {format_duration(spoken.duration_ns or 0)}." if spoken else ""
    return f"{who}, {took}. No figure here counts that time.{whole}"


def _incomplete_notes(review: Review) -> list[str]:
    said = []
    lost = review.incomplete
    if lost is not None:
        them = f"{count(lost.requests, 'request')} with missing spans or ends"
        if lost.slower:
            said.append(
                f"Slow requests lose spans: {them} take {format_duration(lost.median_ns)} at the median, the others "
                f"{format_duration(lost.others_median_ns)}. Percentiles count them. {_broken_down(lost)}"
            )
        else:
            verb = "counts" if lost.requests == 1 else "count"
            said.append(f"{them} {verb} in the percentiles of the whole request. {_broken_down(lost)}")
        if lost.open:
            said.append(f"{count(lost.open, 'request')} without an end took at least this long as the data says.")
    left_out = review.selected["incomplete_left_out"]
    if left_out:
        said.append(f"{count(left_out, 'request')} left out: the span that would say how long it took is missing.")
    return said


def _broken_down(lost: LostSpans) -> str:
    """For how many of them the remaining spans show where their time went."""
    if lost.broken_down == lost.requests:
        return "Their remaining spans still show where their time went."
    if lost.broken_down:
        return f"For {lost.broken_down:,} of them the remaining spans show where the time went; for the others it is unknown."
    return "Where their time went is not known."


def _certainty_notes(review: Review) -> list[str]:
    rows, said = review.end_to_end, []
    n, these = rows[0].n, format_duration(review.window_ns)
    alike = [row for row in rows if row.independence == "unknown"]
    if n < LEAST and any(row.reached for row in rows):
        said.append(
            f"{count(n, 'request')}: intervals hold only if they are independent, and no cap is judged (at least {LEAST} are needed)."
        )
    elif alike:
        said.append(
            f"Requests are too alike to judge {listed([f'p{row.percentile}' for row in alike])}: in these {these} "
            "conditions change too rarely."
        )
    unknown = [row for row in rows if row.needs is not None and row.independence in ("held", "corrected")]
    if unknown and len(unknown) < len(rows):
        said.append(f"Too few requests to judge {needs(unknown)}.")
    worth = [row for row in rows if row.independence == "corrected" and row.n_effective is not None]
    if worth:
        least = min(worth, key=lambda row: row.n_effective or 0)
        said.append(
            f"Requests that arrive together are alike: at p{least.percentile} the {n:,} show as much as "
            f"{round(least.n_effective or 0):,} independent ones."
        )
    if any(row.needs is None for row in rows):
        said.append(f"Intervals (95%) speak of these {these}, not of other times.")
    return said


def _breakdown_notes(review: Review) -> list[str]:
    said = []
    much = much_unattributed(review)
    if much is not None:
        said.append(
            f"{much:.0%} of the time passes in no classified span, so look at services and operations; rules in the "
            "budget (`match`) would name stages."
        )
    for made_of in review.breakdown:
        if made_of.extreme is not None and made_of.band_latency_ns is not None:
            said.append(
                f"One request of {format_duration(made_of.extreme.latency_ns)} makes up "
                f"{made_of.extreme.share:.0%} of the spread around p{made_of.percentile}: the mean of the "
                f"{made_of.band_requests} requests there, {format_duration(made_of.band_latency_ns)}, is not the percentile."
            )
    missing = [one for one in review.breakdown if one.band_incomplete * 10 >= one.band_requests + one.band_incomplete]
    missing = [one for one in missing if one.band_incomplete]
    if missing:
        most = max(missing, key=lambda made_of: made_of.band_incomplete)
        said.append(
            f"Around p{most.percentile} {count(most.band_incomplete, 'request')} with missing spans cannot be broken down."
        )
    return said
