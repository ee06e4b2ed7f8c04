"""The time cost of tokens per cause: an operation is often only part of the call that reads and writes them."""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from overbudget.analysis.causes.spending import Cause, Spending
from overbudget.analysis.causes.token_costs import ModelCost
from overbudget.analysis.causes.tokens_on_path import cost_of_models
from overbudget.analysis.causes.why import TokenCost


def cost_of_causes(sides: Sequence[Spending]) -> Callable[[Cause], TokenCost | None]:
    """What one more token costs each cause, by the calls of all `sides` together; None where tokens explain nothing.

    A model call's time is divided among the causes that own it on the critical path (its self time, the wait for its
    provider), and so is the cost of a token: in proportion to the time that they own. For calls of several models the
    mean cost counts.
    """
    of_model = cost_of_models([side.tokens for side in sides])
    with_tokens = {side.causes[j] for side in sides for j in _with_tokens(side)}

    @cache
    def cost_of(cause: Cause) -> TokenCost | None:
        if cause not in with_tokens:
            return None
        took = ns = 0.0
        models: dict[str, int] = {}
        for side in sides:
            if side.tokens is None or side.token_call is None or cause not in side.causes:
                continue
            here = np.flatnonzero((side.cause == side.causes.index(cause)) & (side.token_call >= 0))
            calls = np.unique(side.token_call[here])
            took += float(side.tokens.calls.took_ns[calls].sum())
            ns += float(side.ns[here].sum())
            for code, count in enumerate(np.bincount(side.tokens.calls.model.codes[calls]).tolist()):
                name = side.tokens.calls.model.names[code]
                models[name] = models.get(name, 0) + count
        costs = {model: of_model(model) for model, count in models.items() if count}
        return _mean(costs, models, min(ns / took, 1.0) if took else 0.0)

    return cost_of


def _with_tokens(side: Spending) -> list[int]:
    if side.token_call is None:
        return []
    return [int(j) for j in np.unique(side.cause[side.token_call >= 0])]


def _mean(costs: dict[str, ModelCost], calls: dict[str, int], share: float) -> TokenCost | None:
    """The mean cost over calls, of which the cause owns `share`; None where no model's tokens explain anything."""
    known = [(calls[model], cost) for model, cost in costs.items()]
    if not any(cost.prompt or cost.answer for _, cost in known):
        return None
    every = sum(count for count, _ in known)

    def mean(value: Callable[[ModelCost], float]) -> float:
        return sum(count * value(cost) for count, cost in known) / every

    return TokenCost(
        share * mean(lambda cost: cost.prompt.ns if cost.prompt else 0.0),
        share * mean(lambda cost: cost.answer.ns if cost.answer else 0.0),
        mean(lambda cost: max((one.explained for one in (cost.prompt, cost.answer) if one), default=0.0)),
    )
