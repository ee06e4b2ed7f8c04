"""Percentiles against their caps, as they stand in a review: of whole requests, first tokens, stages and single model calls."""

from dataclasses import dataclass
from typing import Literal

from overbudget.analysis.budget.model import CallKind
from overbudget.analysis.common.effective_size import Independence
from overbudget.stages.names import FIRST_TOKEN as FIRST_TOKEN
from overbudget.stages.names import TOTAL as TOTAL

Verdict = Literal["over", "at_risk", "within", "unknown"]


@dataclass(frozen=True)
class PercentileRow:
    """A percentile against its cap. `needs` is how many requests its interval needs, None where it exists.

    `n_effective` is how many independent requests the n are worth, None where unknown; `independence` says what the
    interval rests on: `held`, `corrected`, `assumed` (fewer than 40: valid only if they are independent) or `unknown` (too
    alike for an interval). `at_least` where a request without an end decides the rank. `failed` where the verdict comes
    from the share of failed requests. `reached` says whether the sample is large enough to reach that percentile.

    `budget_ns` is None, and with it `verdict`, where no cap is given for this percentile or a higher one.
    """

    percentile: int
    latency_ns: int | None
    ci_low_ns: int | None
    ci_high_ns: int | None
    n: int
    budget_ns: int | None
    verdict: Verdict | None
    needs: int | None
    n_effective: float | None = None
    independence: Independence = "held"
    at_least: bool = False
    failed: bool = False
    reached: bool = True


@dataclass(frozen=True)
class StageRow(PercentileRow):
    """The same for one stage's time over all requests, 0 where a request has none of it; or for a part of a stage
    (`inference.writing`, `part_of` inference), over the requests that record it; `without` counts the others."""

    stage: str = ""
    part_of: str | None = None
    without: int = 0


@dataclass(frozen=True)
class FirstTokenRow(PercentileRow):
    """The same for the first token of the answer, from the request's start; `without` requests record none."""

    without: int = 0


@dataclass(frozen=True)
class CallRow(PercentileRow):
    """The same for one figure of each model call (`call_first_token` or `call_per_output_token`) of a stage, or of the
    models that the pattern `of` names; `n` counts calls, `without` those that do not record it."""

    kind: CallKind = "stage"
    of: str = ""
    figure: str = ""
    without: int = 0
