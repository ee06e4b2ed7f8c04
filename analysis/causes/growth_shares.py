"""Each cause's share of all growth."""

from collections.abc import Sequence


def growth_shares(changes: Sequence[int]) -> list[float]:
    """Each change's share of the sum of all growth, between 0 and 1; 0 for what shrank or stayed."""
    grown = sum(max(change, 0) for change in changes) or 1
    return [round(max(change, 0) / grown, 4) for change in changes]
