"""The verdict on a percentile: docs/reference/method.md, "Budgets and verdicts"."""

from overbudget.analysis.budget.caps import cap_of
from overbudget.analysis.budget.model import LIMIT, Caps
from overbudget.analysis.common.percentiles import Quantile, Share
from overbudget.analysis.review.rows import PercentileRow, Verdict


def verdict(quantile: Quantile, cap_ns: int | None) -> Verdict | None:
    """The verdict on a percentile. One end of the interval is enough where it alone decides.

    Eighty requests cannot bound p99 from above, but where their lower bound exceeds the cap, so does p99. Fewer than forty
    requests, whose independence cannot be checked, decide nothing; requests too alike for an interval decide only what
    every single one of them agrees on.
    """
    if cap_ns is None:
        return None
    if quantile.independence == "assumed":
        return "unknown"
    if quantile.independence == "unknown":
        return _unanimous(quantile, cap_ns)
    if quantile.low_ns is not None and quantile.low_ns > cap_ns:
        return "over"
    if quantile.value_ns is None or quantile.high_ns is None:
        return "unknown"
    if quantile.value_ns <= cap_ns:
        return "unknown" if quantile.at_least and quantile.high_ns > cap_ns else "within"
    return "at_risk" if quantile.low_ns is not None else "unknown"


def _unanimous(quantile: Quantile, cap_ns: int) -> Verdict:
    if quantile.least_ns is not None and quantile.least_ns > cap_ns:
        return "over"
    kept = quantile.most_ns is not None and quantile.most_ns <= cap_ns and not quantile.at_least
    return "within" if kept and quantile.reached else "unknown"


def failure_verdict(failed: Share | None, percentile: int) -> Verdict | None:
    """`over` where certainly more than 100 - p percent failed, `at_risk` where that is possible; else None.

    A failed request counts as over every cap, however fast it failed.
    """
    if failed is None or failed.n_effective is None or failed.low is None:
        return None
    allowed = (100 - percentile) / 100
    if failed.low > allowed:
        return "over"
    return "at_risk" if failed.share > allowed else None


def percentile_row(quantile: Quantile, caps: Caps, failed: Share | None = None) -> PercentileRow:
    """A percentile against its cap. A limit (`max`) is judged request by request (see limits), not by percentiles."""
    cap = cap_of({p: ns for p, ns in caps.items() if p != LIMIT}, quantile.percentile)
    ns = cap.ns if cap and not cap.borrowed else None
    said = verdict(quantile, ns)
    by_failures = failure_verdict(failed, quantile.percentile) if ns is not None else None
    worse = by_failures is not None and (by_failures == "over" or said in ("within", "unknown"))
    return PercentileRow(
        quantile.percentile,
        quantile.value_ns,
        quantile.low_ns,
        quantile.high_ns,
        quantile.n,
        ns,
        by_failures if worse and said != "over" else said,
        None if quantile.known else quantile.needs,
        quantile.n_effective if quantile.n_effective is None else round(quantile.n_effective, 1),
        quantile.independence,
        quantile.at_least,
        worse and said != "over",
        quantile.reached,
    )
