"""Limits that single requests exceed, in words."""

from overbudget.analysis.common.durations import format_duration
from overbudget.app.text.words import count, quoted


def exceeded_text(what: str, route: str | None, exceeded: int, limit_ns: int, longest_ns: int) -> str:
    """How many requests take longer than a limit allows, and how long the longest takes."""
    where = f" of {quoted(route)}" if route is not None else ""
    verb = "exceeds" if exceeded == 1 else "exceed"
    limit, longest = format_duration(limit_ns), format_duration(longest_ns)
    return f"{count(exceeded, 'request')}{where} {verb} the limit of {limit} on {what}; the longest takes {longest}."
