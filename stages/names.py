"""The stages of every dataset, in the order in which tables and charts show them."""

from collections.abc import Iterable

DEFAULT_STAGES: tuple[str, ...] = (
    "retrieval",
    "database",
    "context",
    "inference",
    "tools",
    "safety",
    "shaping",
    "queue",
    "orchestration",
    "user",
)
UNKNOWN_SERVICE = "unknown_service"  # of spans whose resource has no service.name
MISSING_SCOPE = "overbudget.missing"  # scope of the spans added for parents that are in no dump
MUCH_UNATTRIBUTED = 0.5  # of the time: with more, stages explain little and answers are about services and operations
ASKS_PERSON = "user"  # the stage of waiting for a person: not part of latency
UNATTRIBUTED = "unattributed"  # critical-path time inside no classified span


def stage_order(stages: Iterable[str]) -> list[str]:
    """The distinct `stages` in display order: default ones first, then the user's by name, unattributed last."""
    rank = {stage: place for place, stage in enumerate(DEFAULT_STAGES)}
    return sorted(set(stages), key=lambda s: (s == UNATTRIBUTED, rank.get(s, len(rank)), s))
