"""Whether requests of a cohort certainly call a cause more often, or with more tokens, than those of another."""

import numpy as np

from overbudget.analysis.causes.spending import Cause, Spending
from overbudget.analysis.causes.why import TokenCost
from overbudget.analysis.common.binomial import student_quantile
from overbudget.analysis.common.percentiles import F64

CHANCE = 0.01  # of calling two means different that are equal
LEAST_REQUESTS = 5  # of each cohort


def calls_more_often(spent: Spending, cause: Cause, before: F64, after: F64) -> bool:
    """Whether the requests of `after` make more calls each. `before` and `after` are the weights of all requests."""
    made = spent.made_cause == spent.causes.index(cause)
    return _larger(np.bincount(spent.made_row[made], minlength=len(before)).astype(np.float64), before, after)


def calls_with_more_tokens(spent: Spending, cause: Cause, cost: TokenCost | None, before: F64, after: F64) -> bool:
    """Whether their calls read or write more, weighted by what that costs. False where the cost of tokens is unknown."""
    if cost is None or spent.tokens is None or spent.token_call is None:
        return False
    here = np.flatnonzero((spent.cause == spent.causes.index(cause)) & spent.first & (spent.token_call >= 0))
    calls, row = spent.token_call[here], spent.row[here]
    prompt, answer = (np.maximum(column[calls], 0) for column in (spent.tokens.calls.prompt, spent.tokens.calls.answer))
    ns = np.bincount(row, cost.prompt_ns * prompt + cost.answer_ns * answer, minlength=len(before))
    count = np.bincount(row, minlength=len(before))
    has = count > 0
    return _larger(ns / np.maximum(count, 1), before * has, after * has)


def _larger(value: F64, before: F64, after: F64) -> bool:
    """Whether the second cohort's mean is larger beyond chance: Welch's statistic, held to Student's t of 19 degrees."""
    if min(np.count_nonzero(before), np.count_nonzero(after)) < LEAST_REQUESTS:
        return False
    (low, low_square), (high, high_square) = (_mean_and_square(value, weights) for weights in (before, after))
    return bool(high - low > student_quantile(CHANCE) * np.sqrt(low_square + high_square))


def _mean_and_square(value: F64, weights: F64) -> tuple[float, float]:
    """The weighted mean and the square of its standard error."""
    n, share = np.count_nonzero(weights), weights / weights.sum()
    mean = float(share @ value)
    return mean, float(share**2 @ (value - mean) ** 2) * n / (n - 1)
