"""Which requests a command looks at, as it is written on the command line."""

from collections.abc import Sequence
from datetime import datetime

from overbudget.analysis.budget.problems import question
from overbudget.analysis.requests.table import Filters
from overbudget.store.errors import OverbudgetError

KEYS = ("route", "service", "model", "status", "start", "end")


def filters_of(conditions: Sequence[str], route: str | None = None) -> Filters:
    """Filters from KEY=VALUE; several values of one key are alternatives. `start` (included) and `end` (excluded) bound
    when a request starts, in ISO 8601, without a time zone in UTC. `route` is one more route.

    Errors: OverbudgetError where a key is unknown, a value missing, or a time is none.
    """
    chosen: dict[str, list[str]] = {"route": [route]} if route is not None else {}
    for condition in conditions:
        key, equals, value = condition.partition("=")
        if not equals or key not in KEYS:
            meant = question(key, KEYS) if equals else ""
            raise OverbudgetError(f"`{condition}` is not KEY=VALUE with a key of {', '.join(KEYS)}.{meant}")
        chosen.setdefault(key, []).append(value)
    alternatives = {key: values[0] if len(values) == 1 else values for key, values in chosen.items()}
    times = {key: _instant(key, chosen.get(key, [])) for key in ("start", "end")}
    return Filters(**{**alternatives, **times})  # type: ignore[arg-type]


def _instant(key: str, values: Sequence[str]) -> datetime | None:
    if not values:
        return None
    try:
        (value,) = values
        return datetime.fromisoformat(value)
    except ValueError as error:
        raise OverbudgetError(
            f"`{key}={' '.join(values)}` is not one time in ISO 8601; write it like {key}=2026-09-21T14:30:00Z."
        ) from error
