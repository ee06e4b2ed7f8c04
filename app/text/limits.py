"""Limits that single requests or model calls exceed, in words."""

from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.review.limits import CallLimitRow, LimitRow
from overbudget.analysis.review.result import Review
from overbudget.app.text.first_token import figure_of
from overbudget.app.text.words import WHOLE, count, quoted, stage_name


def limit_sentences(review: Review) -> list[str]:
    """A sentence for each limit that is exceeded."""
    requests = [
        exceeded_text(limited(row), row.route, row.exceeded, row.limit_ns, row.longest_ns or 0)
        for row in review.limits
        if row.exceeded
    ]
    calls = [
        exceeded_text(limited(row), None, row.exceeded, row.limit_ns, row.longest_ns or 0, "call")
        for row in review.call_limits
        if row.exceeded
    ]
    return [*requests, *calls]


def limited(row: LimitRow | CallLimitRow) -> str:
    """What a limit is on, within a sentence."""
    if isinstance(row, CallLimitRow):
        return figure_of(row)
    return WHOLE.get(row.stage, stage_name(row.stage))


def exceeded_text(
    what: str, route: str | None, exceeded: int, limit_ns: int, longest_ns: int, each: str = "request"
) -> str:
    """How many requests (or calls) take longer than a limit allows, and how long the longest takes."""
    where = f" of {quoted(route)}" if route is not None else ""
    verb = "exceeds" if exceeded == 1 else "exceed"
    limit, longest = format_duration(limit_ns), format_duration(longest_ns)
    return f"{count(exceeded, each)}{where} {verb} the limit of {limit} on {what}; the longest takes {longest}."
