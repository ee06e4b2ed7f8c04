"""A problem that the traces of a dataset have."""

from dataclasses import dataclass

MOST_SERVICES = 10  # named


@dataclass(frozen=True)
class Problem:
    """One kind of problem. `count` counts what `means` describes; `example` names a trace and a span; `rule` is TOML that
    mends it, to be pasted into a budget file, None where there is none."""

    code: str
    count: int
    example: str
    services: tuple[str, ...]
    means: str
    remedy: str
    rule: str | None = None


@dataclass(frozen=True)
class Warned:
    """How many requests have a problem that makes percentiles describe something other than whole requests."""

    code: str
    count: int
