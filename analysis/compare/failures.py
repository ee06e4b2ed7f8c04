"""Whether more requests fail than before."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from overbudget.analysis.common.binomial import TAIL
from overbudget.analysis.common.effective_size import effective_size
from overbudget.analysis.requests.table import RequestTable


@dataclass(frozen=True)
class FailedShare:
    """The share of a side's requests that failed, with its 95 % interval; None where that is unknown."""

    share: float
    ci_low: float | None
    ci_high: float | None

    def as_dict(self) -> dict[str, Any]:
        return {"share": self.share, "ci_low": self.ci_low, "ci_high": self.ci_high}


def failed_share(table: RequestTable) -> FailedShare:
    """How many of these requests failed."""
    failed = table.failed[np.argsort(table.start_ns, kind="stable")]
    count = int(np.count_nonzero(failed))
    low, high = effective_size(failed).share_interval(count, TAIL) or (None, None)
    return FailedShare(count / len(failed) if len(failed) else 0.0, low, high)


def grew(before: FailedShare, after: FailedShare) -> bool:
    """Whether the share that failed grew beyond chance: Zou and Donner's interval of the difference lies above 0."""
    if after.ci_low is None or before.ci_high is None:
        return False
    below = np.hypot(after.share - after.ci_low, before.ci_high - before.share)
    return bool(after.share - before.share > below)
