"""Which requests a command looks at: the filters given on the command line."""

from collections.abc import Sequence
from datetime import datetime

from overbudget.analysis.budget.problems import question
from overbudget.analysis.requests.table import Filters
from overbudget.store.errors import OverbudgetError

KEYS = ("route", "service", "model", "status", "version", "environment", "start", "end")
ATTRIBUTE = "attr:"


def filters_of(conditions: Sequence[str], route: str | None = None) -> Filters:
    """Filters from KEY=VALUE; several values of one key are alternatives. `attr:KEY=VALUE` names any attribute of the
    entry span or its resource, `start` (included) and `end` (excluded) bound
    when a request starts, in ISO 8601, without a time zone in UTC. `route` is one more route.

    Errors: OverbudgetError where a key is unknown, a value is missing, or a time cannot be read.
    """
    chosen: dict[str, list[str]] = {"route": [route]} if route is not None else {}
    attributes: list[tuple[str, str]] = []
    for condition in conditions:
        if condition.startswith(ATTRIBUTE):
            attributes.append(_attribute(condition))
            continue
        key, equals, value = condition.partition("=")
        if not equals or key not in KEYS:
            meant = question(key, KEYS) if equals else ""
            raise OverbudgetError(f"`{condition}` is not KEY=VALUE with a key of {', '.join(KEYS)} or attr:KEY.{meant}")
        chosen.setdefault(key, []).append(value)
    alternatives = {key: values[0] if len(values) == 1 else values for key, values in chosen.items()}
    times = {key: _instant(key, chosen.get(key, [])) for key in ("start", "end")}
    return Filters(**{**alternatives, **times, "attributes": tuple(attributes)})  # type: ignore[arg-type]


def _attribute(condition: str) -> tuple[str, str]:
    key, equals, value = condition.removeprefix(ATTRIBUTE).partition("=")
    if not key or not equals:
        raise OverbudgetError(f"`{condition}` is not attr:KEY=VALUE; write it like attr:tenant=acme.")
    return key, value


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
