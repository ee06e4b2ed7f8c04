"""First tokens and single model calls in words: the same on the page, on the command line and in the report."""

from collections.abc import Sequence

from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.review.first_token import FirstTokenCause
from overbudget.analysis.review.limits import CallLimitRow
from overbudget.analysis.review.result import Review
from overbudget.analysis.review.rows import FIRST_TOKEN, CallRow, FirstTokenRow, PercentileRow, StageRow
from overbudget.app.text.words import count, quoted, stage_name

FIGURES = {"call_first_token": "the time to the first token", "call_per_output_token": "the time per output token"}


def what_of(row: PercentileRow) -> str:
    """What a percentile is of, within a sentence."""
    if isinstance(row, StageRow):
        return stage_name(row.stage)
    if isinstance(row, CallRow):
        return figure_of(row)
    return "the first token" if isinstance(row, FirstTokenRow) else "the whole request"


def figure_of(row: CallRow | CallLimitRow) -> str:
    """The figure of each model call that a row is about."""
    return figure_of_calls(row.figure, row.of, row.kind == "model")


def figure_of_calls(figure: str, of: str, of_model: bool) -> str:
    """A figure of each model call of a stage, or of a model."""
    return f"{FIGURES[figure]} of {f'calls to {quoted(of)}' if of_model else f'{stage_name(of)} calls'}"


def worst_first_token(rows: Sequence[FirstTokenRow]) -> FirstTokenRow | None:
    """The highest percentile at which the first token is certainly over its cap."""
    return next((row for row in reversed(rows) if row.verdict == "over" and not row.failed), None)


def late_first_token(review: Review) -> str | None:
    """By how much the first token is over its cap at the highest such percentile, and what that time is; None where it keeps
    its caps."""
    row = worst_first_token(review.first_token)
    if row is None or row.latency_ns is None or row.budget_ns is None:
        return None
    by = format_duration(max(row.latency_ns, row.ci_low_ns or 0) - row.budget_ns)
    text = f"the first token comes after {format_duration(row.latency_ns)} at p{row.percentile}, {by} over"
    cause = next((one for one in review.first_token_causes if one.percentile == row.percentile), None)
    return f"{text}{'' if cause is None else f'; {cause_of(cause)}'}"


def cause_of(cause: FirstTokenCause) -> str:
    """`1.2 s of it is the queue of a model`; more than in typical requests, where growth is the reason."""
    more = ""
    if cause.typical_ns is not None:
        more = f", {format_duration(cause.mean_ns - cause.typical_ns)} more than in typical requests"
    return f"{format_duration(cause.mean_ns, next_to_ns=cause.first_token_ns)} of it is {_piece(cause)}{more}"


def _piece(cause: FirstTokenCause) -> str:
    if cause.model is not None:
        return f"{'the queue of' if cause.stage == 'queue' else 'waiting for'} {quoted(cause.model)}"
    waiting = f" waiting for {quoted(cause.hop_to)}" if cause.hop_to else ""
    operation = f"{quoted(cause.name)} in {quoted(cause.service_name)}{waiting}"
    return operation if cause.stage == "unattributed" else f"{stage_name(cause.stage)}: {operation}"


def token_notes(review: Review) -> list[str]:
    """Of how many requests and calls the figures under a cap are, where some record none."""
    return [*_of_requests(review), *_of_calls(review)]


def _of_requests(review: Review) -> list[str]:
    limit = next((row for row in review.limits if row.stage == FIRST_TOKEN), None)
    row = next((row for row in review.first_token if row.budget_ns is not None or limit is not None), None)
    if row is None or not row.without:
        return []
    if not row.n:
        return ["No request records a first token of its answer, so its cap cannot be judged."]
    of = count(row.n + row.without, "request")
    return [
        f"First tokens are those of {row.n:,} of {of}; the others record none.{_unjudged(row, limit is not None and limit.exceeded > 0)}"
    ]


def _of_calls(review: Review) -> list[str]:
    said = []
    broken = {(row.kind, row.of, row.figure) for row in review.call_limits if row.exceeded}
    rows = {(row.kind, row.of, row.figure): row for row in review.calls}
    for key, row in rows.items():
        what = what_of(row)
        if not row.n + row.without:
            continue  # no such call: the notes on unmatched names say so
        if not row.n:
            said.append(f"No call records {what}, so its cap cannot be judged.")
        elif row.without:
            of = count(row.n + row.without, "call")
            said.append(f"{what[0].upper()}{what[1:]}: {row.n:,} of {of} record it.{_unjudged(row, key in broken)}")
    return said


def _unjudged(row: FirstTokenRow | CallRow, broken: bool = False) -> str:
    """A limit that one call breaks is broken whatever the others record; percentiles are not known."""
    if row.n >= row.without:
        return ""
    return f" Most do not, so no {'percentile' if broken else 'cap'} is judged."
