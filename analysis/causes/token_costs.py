"""What tokens cost in time: how much longer a model call takes for each token that it reads and that it writes.

One fit per model, by least absolute deviations, because a few calls that stall must not decide:

    first token = a + b * prompt tokens not from the cache,    writing = a' + c * answer tokens;
    without first tokens    duration = a + b * prompt tokens not from the cache + c * answer tokens.

Each side of a comparison has its own constants, so that a slower server on one side does not count as the cost of its
longer prompts. The
weighted least squares that are repeated until they are least absolute deviations are those of E. J. Schlossmacher, "An
iterative technique for absolute deviations curve fitting", JASA 68 (1973). The intervals allow for calls that differ in how
much they vary, and for calls of one conversation that resemble each other (`_covariance`): simulated, 92 to 96 % of them hold
the cost; bootstrap intervals that fit in the same time held it in 86 to 93 %.
"""

from dataclasses import dataclass

import numpy as np

from overbudget.analysis.common.percentiles import F64
from overbudget.analysis.common.probability import Z95
from overbudget.kernels.columns import I32, I64

MOST_FITTED = 1_000  # calls of a model
LEAST_FITTED = 40
ROUNDS = 60  # of reweighting
LEAST_APART = 0.25  # of the median distance between those fits: nearer ones are chance
NEAR = 0.97  # how far apart quantiles are by which a density is told, times n ** (-1/3): Hall and Sheather's for a median and 95 %
LEAST_KNOWN = 0.5  # greatest distance of an interval's end from the cost, as a share of the cost
LEAST_SPREAD = 0.01  # of the mean: tokens that vary less count as constant
SMALLEST_MS = 1e-3  # smaller deviations count as this in reweighting


@dataclass(frozen=True)
class CallSample:
    """Model calls of one model, one a row. `prompt` are the tokens that did not come from the cache, `first_ns` the time to
    the first token, -1 where none is recorded. `side` is 0 or 1 (the side of a comparison), `conversation` a number."""

    took_ns: I64
    first_ns: I64
    prompt: I64
    answer: I64
    side: I32
    conversation: I64

    def __len__(self) -> int:
        return len(self.took_ns)

    def evenly(self, most: int) -> "CallSample":
        """At most `most` of them, evenly spread over their order."""
        if len(self) <= most:
            return self
        rows = np.linspace(0, len(self) - 1, most).astype(np.int64)
        return CallSample(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Cost:
    """ns for each token, its 95 % interval, and the share of the spread of times that tokens explain."""

    ns: float
    low_ns: float
    high_ns: float
    explained: float

    @property
    def reliable(self) -> bool:
        """Whether tokens vary enough: the interval reaches no further from the cost than half of it."""
        return self.ns > 0 and max(self.ns - self.low_ns, self.high_ns - self.ns) <= LEAST_KNOWN * self.ns


@dataclass(frozen=True)
class ModelCost:
    """What a token of the prompt (not from the cache) and of the answer costs; None where the calls do not show it."""

    prompt: Cost | None
    answer: Cost | None


NOTHING_TOLD = ModelCost(None, None)


def fitted(calls: CallSample) -> ModelCost:
    """What the tokens of one model cost. A side's cost is None with fewer than LEAST_FITTED calls, and where tokens do not
    vary enough (`Cost.reliable`)."""
    calls = calls.evenly(MOST_FITTED)
    known = (calls.first_ns >= 0) & (calls.first_ns <= calls.took_ns)
    if knows_first_tokens(calls):
        sides = _sides(calls.side[known])
        groups = calls.conversation[known]
        (prompt,) = _costs([calls.prompt[known]], calls.first_ns[known], sides, groups)
        (answer,) = _costs([calls.answer[known]], (calls.took_ns - calls.first_ns)[known], sides, groups)
    elif len(calls) >= LEAST_FITTED:
        tokens = [calls.prompt, calls.answer]
        prompt, answer = _costs(tokens, calls.took_ns, _sides(calls.side), calls.conversation)
    else:
        return NOTHING_TOLD
    return ModelCost(*(cost if cost is not None and cost.reliable else None for cost in (prompt, answer)))


def knows_first_tokens(calls: CallSample) -> bool:
    """Whether enough calls, and half of them, record a first token: what input tokens cost is then told by those."""
    known = (calls.first_ns >= 0) & (calls.first_ns <= calls.took_ns)
    return bool(np.count_nonzero(known) >= max(LEAST_FITTED, len(calls) / 2))


def _sides(side: I32) -> F64:
    """float64[calls, sides]: an `a` for each side that has calls."""
    return np.asarray(side[:, None] == np.unique(side), np.float64)


def _costs(tokens: list[I64], took_ns: I64, sides: F64, groups: I64) -> list[Cost | None]:
    """The cost of each kind of tokens; None for one that hardly varies within the sides."""
    varies = [_varies(column, sides) for column in tokens]
    varying = [column for column, does in zip(tokens, varies, strict=True) if does]
    if not varying:
        return [None] * len(tokens)
    scale = np.array([max(float(column.mean()), 1.0) for column in varying])
    x = np.hstack([np.stack([column / size for column, size in zip(varying, scale, strict=True)], axis=1), sides])
    y = took_ns / 1e6
    found = _quantile_fit(x, y, 0.5)
    error = np.sqrt(np.diag(_covariance(x, y, found, groups)))
    values = found[: len(varying)] / scale * 1e6
    freedom = max(len(np.unique(groups)) - 1, 1)
    reach = (
        (Z95 + (Z95**3 + Z95) / (4 * freedom)) * error[: len(varying)] / scale * 1e6
    )  # Student's t, to its first term
    low, high = values - reach, values + reach
    explained = _explained(x, y, found, sides)
    ends = zip(values.tolist(), low.tolist(), high.tolist(), strict=True)
    costs = iter([Cost(value, least, most, explained) for value, least, most in ends])
    return [next(costs) if does else None for does in varies]


def _varies(tokens: I64, sides: F64) -> bool:
    """Whether tokens differ within the sides by more than LEAST_SPREAD of their mean."""
    means = (tokens @ sides) / sides.sum(axis=0)
    spread = float(np.sqrt(np.mean((tokens - sides @ means) ** 2)))
    return spread > LEAST_SPREAD * max(float(tokens.mean()), 1.0)


def _covariance(x: F64, y: F64, found: F64, groups: I64) -> F64:
    """The covariance of a median fit whose residuals differ in size and are alike within groups.

    The density of the residuals at 0 is that between the fits of two near quantiles, of each call by itself (W. Hendricks and
    R. Koenker, "Hierarchical spline models for conditional quantiles and the demand for electricity", JASA 87 (1992)), their
    distance that of P. Hall and S. Sheather (JRSS B 50 (1988)); signs of a group are summed (P. Parente and J. Santos Silva,
    "Quantile regression with clustered data", Journal of Econometric Methods 5 (2016)).
    """
    near = NEAR * len(y) ** (-1 / 3)
    above, below = (_quantile_fit(x, y, 0.5 + side * near) for side in (1, -1))
    apart = x @ (above - below)
    density = 2 * near / np.maximum(apart, max(LEAST_APART * float(np.median(apart)), SMALLEST_MS))
    kinds, group = np.unique(groups, return_inverse=True)
    sign = np.sign(y - x @ found)
    score = np.stack([np.bincount(group, sign * column, len(kinds)) for column in x.T], axis=1)
    bread = np.linalg.pinv((x * density[:, None]).T @ x)
    meat = score.T @ score / 4 * len(kinds) / max(len(kinds) - 1, 1)
    return np.asarray(bread @ meat @ bread)


def _quantile_fit(x: F64, y: F64, quantile: float) -> F64:
    """float64[columns]: the fit of y = x @ found that has `quantile` of the calls below it."""
    columns = x.shape[1]
    little = 1e-9 * np.eye(columns)
    found = np.linalg.lstsq(x, y, rcond=None)[0]
    for _ in range(ROUNDS):
        off = y - x @ found
        weights = np.where(off > 0, quantile, 1 - quantile) / np.maximum(np.abs(off), SMALLEST_MS)
        weighted = x * weights[:, None]
        left = weighted.T @ x
        found = np.linalg.solve(left + little * np.trace(left) / columns, weighted.T @ y)
    return np.asarray(found)


def _explained(x: F64, y: F64, found: F64, sides: F64) -> float:
    """The share of the absolute deviations, from each side's own median, that tokens explain."""
    without = sum(float(np.abs(y[here] - np.median(y[here])).sum()) for here in (sides == 1).T)
    return float(max(0.0, 1 - np.abs(y - x @ found).sum() / max(without, 1e-9)))
