"""Which of many attributes distinguish slow from typical requests: beyond chance, the nearest to the cause first."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from overbudget.analysis.common.probability import false_discovery_shares, hypergeometric_from
from overbudget.analysis.requests.table import I64
from overbudget.analysis.tail.operations import SlowOperation

FALSE_ALARMS = 0.01  # share of healthy systems with any reported attribute: each is tested against all candidates
REQUEST = "request"  # what attributes of the request as a whole are on
# Attributes that every request of a kind has, and that are no cause: last among the attributes of the same requests.
GENERAL = re.compile(
    r"(?i)^(http\.(request\.)?method|http\.(flavor|scheme)|url\.scheme|network\.protocol\..*|rpc\.system.*|status)$"
)


@dataclass(frozen=True)
class SlowAttribute:
    """An attribute that slow requests have more often. `on` is the operation, service or request that carries it.

    `lift` is slow_share over typical_share, None where no typical request has it. `q_value` is the share of false
    discoveries among this and all stronger ones. `requests` counts those that have it, of the compared ones of both cohorts.
    `also` has attributes of exactly the same requests. `longest_of` is an operation whose calls with this attribute take most
    of its time on the critical path: of the shards that every request asks, the one that it waited for.
    """

    key: str
    value: str
    on: str
    slow_share: float
    typical_share: float
    lift: float | None
    q_value: float
    requests: int
    also: tuple[str, ...]
    longest_of: str | None = None


@dataclass(frozen=True)
class Candidate:
    """An attribute, and how many of the slow requests and of both cohorts have it; equal `signature`: the same requests."""

    on: str
    key: str
    value: str
    slow: int
    both: int
    signature: int
    longest_of: str | None = None
    tried: int = 1  # values of the same number, or instants, of which the best is reported

    @property
    def number(self) -> tuple[str, str]:
        """The same for all thresholds of one number."""
        return self.on, self.key


def counts(found: Sequence[Candidate], of: int) -> tuple[I64, int, I64]:
    """Slow requests, all that are looked at, and requests, of each."""
    return np.array([one.slow for one in found]), of, np.array([one.both for one in found])


def excess_by_name(operations: Sequence[SlowOperation]) -> dict[str, int]:
    excess: dict[str, int] = {}
    for one in operations:
        excess[one.name] = max(one.excess_ns, excess.get(one.name, one.excess_ns))
    return excess


def strongest(found: Sequence[Candidate], n_slow: int, n_all: int, excess: dict[str, int]) -> list[SlowAttribute]:
    """The candidates that chance hardly explains, one for each set of requests: the one nearest to the cause.

    Each is tested against all candidates (Bonferroni). A limit on the share of false discoveries would let weak candidates
    pass beside certain ones, and healthy systems have certain ones too: their longest answers are slow.
    """
    candidates = [one for one in found if one.both < n_all]  # what all requests have distinguishes none
    if not candidates:
        return []
    hits, _, both = of_each = counts(candidates, n_all)
    p_value = hypergeometric_from(*of_each, n_slow) * [one.tried for one in candidates]
    q_value = false_discovery_shares(np.minimum(p_value, 1.0))
    order = sorted(
        np.flatnonzero(p_value * len(candidates) <= FALSE_ALARMS).tolist(),
        key=lambda i: (p_value[i], -hits[i] / both[i], *_by_name(candidates[i])),
    )
    groups: dict[tuple[int, int], list[int]] = {}
    reported: set[tuple[str, ...]] = set()
    for i in order:
        one = candidates[i]
        known = one.number if one.tried > 1 else (*one.number, one.value)
        if known in reported:
            continue  # only the best of several thresholds, and of all calls or the longest ones
        reported.add(known)
        groups.setdefault((one.signature, one.both), []).append(i)
    return [
        _reported(
            [candidates[i] for i in sorted(same, key=lambda i: _distance(candidates[i], excess))],
            q_value[same[0]],
            n_slow,
            n_all,
        )
        for same in groups.values()
    ]


def _by_name(one: Candidate) -> tuple[bool, str, str, str]:
    return one.on == REQUEST, one.key, one.value, one.on


def _distance(one: Candidate, excess: dict[str, int]) -> tuple[bool, bool, int, bool]:
    """How far from the cause: attributes that all requests of a kind have come last, those of operations with the most
    excess first, and a route before the attributes of its entry spans."""
    route = one.on == REQUEST and one.key == "route"
    carrier = one.value if route else one.on
    return GENERAL.match(one.key) is not None, one.longest_of is not None, -excess.get(carrier, 0), not route


def _reported(same: Sequence[Candidate], q_value: float, n_slow: int, n_all: int) -> SlowAttribute:
    one = same[0]
    slow_share, typical_share = one.slow / n_slow, (one.both - one.slow) / (n_all - n_slow)
    also = tuple(f"{other.key} = {other.value} on {other.on}" for other in same[1:])
    return SlowAttribute(
        one.key,
        one.value,
        one.on,
        round(slow_share, 4),
        round(typical_share, 4),
        round(slow_share / typical_share, 2) if typical_share else None,
        float(q_value),
        one.both,
        also,
        one.longest_of,
    )
