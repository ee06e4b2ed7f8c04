"""The mechanisms, each a world; importing this package knows them all."""

from bench.worlds.mechanisms import failures, inference, places, queues, records, rhythm, shapes, work
from bench.worlds.world import REGISTRY, World

__all__ = ["WORLDS", "failures", "inference", "places", "queues", "records", "rhythm", "shapes", "work"]

WORLDS: dict[str, type[World]] = REGISTRY.worlds
