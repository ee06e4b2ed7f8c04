"""A problem that the traces of a dataset have."""

from dataclasses import dataclass

MOST_SERVICES = 10  # named


@dataclass(frozen=True)
class Problem:
    """One kind of problem. `count` is of what `means` speaks of; `example` names a trace and a span."""

    code: str
    count: int
    example: str
    services: tuple[str, ...]
    means: str
    remedy: str


@dataclass(frozen=True)
class Warned:
    """How many requests have a problem of the audit that makes percentiles speak of something else than whole requests."""

    code: str
    count: int
