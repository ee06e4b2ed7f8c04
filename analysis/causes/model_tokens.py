"""What tokens cost each model in time, for people to see: per model and provider, with the calls that show it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from overbudget.analysis.causes.token_costs import LEAST_FITTED, CallSample, Cost, fitted, knows_first_tokens
from overbudget.analysis.common.percentiles import F64, I64
from overbudget.analysis.requests.model_calls import ModelCalls

MOST_POINTS = 2_000  # of a picture
MOST_MODELS = 50


@dataclass(frozen=True)
class TokenCost:
    """ns for each token with its 95 % interval, and the share of the spread of times that tokens explain."""

    ns: float
    ci_low_ns: float
    ci_high_ns: float
    explained: float


@dataclass(frozen=True)
class Picture:
    """Calls as points, tokens against ns, and the fitted line `at_0_ns + ns_per_token * tokens` (None where tokens do not show
    what they cost)."""

    tokens: I64
    ns: I64
    at_0_ns: float | None
    ns_per_token: float | None


@dataclass(frozen=True)
class ModelTokens:
    """What tokens cost in the calls of one model at one provider; costs are None where tokens vary too little to show them.

    `input_token` is for each input token not from the provider's cache, `output_token` for each one written. `by_first_token`:
    input tokens delay the first token; else, because most calls record none, the call. `cached_share` of the input tokens came
    from the cache; `cache_saves_ns` is by how much the cache shortens the first token of a call that uses it, on average, with
    its interval. `reading` and `writing` are pictures.
    """

    model: str
    provider: str | None
    calls: int
    by_first_token: bool
    input_token: TokenCost | None
    output_token: TokenCost | None
    cached_share: float
    cached_calls: int
    cache_saves_ns: int | None
    cache_saves_ci_low_ns: int | None
    cache_saves_ci_high_ns: int | None
    reading: Picture
    writing: Picture


def tokens_of_models(calls: ModelCalls) -> list[ModelTokens]:
    """Every model that records tokens in enough calls, those with most calls first."""
    return sorted(_models(calls), key=lambda one: (-one.calls, one.model, one.provider or ""))[:MOST_MODELS]


def _models(calls: ModelCalls) -> Iterator[ModelTokens]:
    usable = (calls.given >= 0) & (calls.answer >= 0) & (calls.took_ns > 0) & (calls.model.codes >= 0)
    pair = (calls.model.codes.astype(np.int64) << 32) + calls.provider.codes + 1
    for code in np.unique(pair[usable]).tolist():
        rows = np.flatnonzero(usable & (pair == code))
        if len(rows) >= LEAST_FITTED:
            provider = (code & 0xFFFFFFFF) - 1
            name = calls.provider.names[provider] if provider >= 0 else None
            yield _model(calls, rows, calls.model.names[code >> 32], name)


def _model(calls: ModelCalls, rows: I64, model: str, provider: str | None) -> ModelTokens:
    given, cached, answer = calls.given[rows], calls.cached[rows], calls.answer[rows]
    took, first, prompt = calls.took_ns[rows], calls.first_ns[rows], given - cached
    sample = CallSample(took, first, prompt, answer, np.zeros(len(rows), np.int32), calls.cluster[rows])
    cost, by_first = fitted(sample), knows_first_tokens(sample)
    known = (first >= 0) & (first <= took) if by_first else np.ones(len(rows), bool)
    reading = (first if by_first else took - _ns(cost.answer) * answer)[known]
    writing = (took - first if by_first else took - _ns(cost.prompt) * prompt)[known]
    hits = cached[cached > 0]
    mean = float(hits.mean()) if len(hits) else 0.0
    told = cost.prompt if cost.prompt is not None and len(hits) else None
    return ModelTokens(
        model,
        provider,
        len(rows),
        by_first,
        _told(cost.prompt),
        _told(cost.answer),
        float(cached.sum() / max(given.sum(), 1)),
        len(hits),
        None if told is None else round(told.ns * mean),
        None if told is None else round(told.low_ns * mean),
        None if told is None else round(told.high_ns * mean),
        _picture(prompt[known], reading, cost.prompt),
        _picture(answer[known], writing, cost.answer),
    )


def _ns(cost: Cost | None) -> float:
    return cost.ns if cost is not None else 0.0


def _told(cost: Cost | None) -> TokenCost | None:
    return None if cost is None else TokenCost(cost.ns, cost.low_ns, cost.high_ns, cost.explained)


def _picture(tokens: I64, ns: I64 | F64, cost: Cost | None) -> Picture:
    """At most MOST_POINTS calls, evenly chosen; the line passes through the median of what tokens leave."""
    at_0 = None if cost is None else float(np.median(ns - cost.ns * tokens))
    rows = np.arange(len(tokens))
    if len(rows) > MOST_POINTS:
        rows = np.linspace(0, len(tokens) - 1, MOST_POINTS).astype(np.int64)
    return Picture(tokens[rows], np.asarray(ns[rows], np.int64), at_0, None if cost is None else cost.ns)
