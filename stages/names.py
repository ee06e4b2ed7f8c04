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
PARTS = {"inference": ("first_token", "writing", "prefill", "decode")}  # of a stage; written `stage.part`
UNKNOWN_SERVICE = "unknown_service"  # of spans whose resource has no service.name
MISSING_SCOPE = "overbudget.missing"  # scope of the spans added for parents that are in no dump
MUCH_UNATTRIBUTED = 0.5  # of the time: with more, stages explain little and answers are about services and operations
TOTAL = "total"  # stands for the whole request where stages are listed
FIRST_TOKEN = "first_token"  # stands there for the first token of a request's answer
ASKS_PERSON = "user"  # the stage of waiting for a person: not part of latency
UNATTRIBUTED = "unattributed"  # critical-path time inside no classified span


PART_NAMES: tuple[str, ...] = tuple(f"{stage}.{part}" for stage, parts in PARTS.items() for part in parts)


def part_of(name: str) -> str | None:
    """The stage that `inference.writing` is a part of; None where the name is no part's."""
    return name.split(".")[0] if name in PART_NAMES else None


def stage_order(stages: Iterable[str]) -> list[str]:
    """The distinct `stages` in display order: default ones first, each followed by its parts, then the user's by name,
    unattributed last."""
    rank = {stage: place for place, stage in enumerate(DEFAULT_STAGES)}
    part = {name: place for place, name in enumerate(PART_NAMES, 1)}

    def place_of(name: str) -> tuple[bool, int, int, str]:
        return name == UNATTRIBUTED, rank.get(part_of(name) or name, len(rank)), part.get(name, 0), name

    return sorted(set(stages), key=place_of)
