"""Whether prompts grow with the turn of a conversation, and what a late turn pays for that."""

from dataclasses import dataclass

import numpy as np

from overbudget.analysis.causes.model_tokens import ModelTokens
from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.common.percentiles import F64, I64
from overbudget.analysis.requests.model_calls import ModelCalls
from overbudget.kernels.columns import I32

LEAST_TURNS = 3  # of a conversation that shows whether prompts grow
LEAST_CONVERSATIONS = 10
LEAST_GROWTH = 0.02  # of the first prompt, for each turn
BOOTSTRAPS = 500
SEED = 20_261_125
TAILS = (2.5, 97.5)


@dataclass(frozen=True)
class PromptGrowth:
    """Prompts grow by `tokens` a turn (95 % interval over conversations); `uncached` of them are not from the provider's cache.

    `conversations` of at least three turns show it. `turn` is the last turn that a quarter of them reach; its prompt has
    `more_tokens` more than the first, `more_ns` of which its first token waits for: None where what a token costs is unknown.
    """

    tokens: float
    ci_low: float
    ci_high: float
    uncached: float
    conversations: int
    turn: int
    more_tokens: int
    more_ns: int | None


def prompt_growth(
    calls: ModelCalls, conversation: I32, start_ns: I64, models: list[ModelTokens]
) -> PromptGrowth | None:
    """How prompts grow with turns; None where they do not, or too few conversations show it.

    `conversation` and `start_ns` are of the requests that `calls.request` indexes: the conversation's number (-1 for none), and
    when the request started. A turn is a request; its prompt is the longest that its model calls read.
    """
    turns = _turns(calls, conversation, start_ns)
    if turns is None:
        return None
    of, turn, given, uncached, code = turns
    slopes, fresh = _slopes(of, turn, given), _slopes(of, turn, uncached)
    if len(slopes) < LEAST_CONVERSATIONS:
        return None
    middle = float(np.median(slopes))
    drawn = np.random.default_rng(SEED).integers(0, len(slopes), (BOOTSTRAPS, len(slopes)))
    low, high = np.percentile(np.median(slopes[drawn], axis=1), TAILS).tolist()
    first = float(np.median(given[turn == 0]))
    if low <= 0 or middle < LEAST_GROWTH * first:
        return None
    lengths = np.bincount(of)
    reached = int(np.quantile(lengths[lengths >= LEAST_TURNS], 0.75))
    cost = _cost(calls, code, models)
    grown = float(np.median(fresh))
    more = None if cost is None else round(max(grown, 0.0) * (reached - 1) * cost)
    return PromptGrowth(middle, low, high, grown, len(slopes), reached, round(middle * (reached - 1)), more)


def _turns(calls: ModelCalls, conversation: I32, start_ns: I64) -> tuple[I64, I64, F64, F64, I32] | None:
    """By request in a conversation: the conversation, its turn from 0, tokens of its longest prompt, those of them not from the
    cache, and the model that read it."""
    rows = np.flatnonzero((calls.given > 0) & (conversation[calls.request] >= 0))
    if len(rows) == 0:
        return None
    order = rows[np.lexsort((-calls.given[rows], calls.request[rows]))]
    request = calls.request[order]
    longest = order[np.append(True, request[1:] != request[:-1])]
    of, start = conversation[calls.request[longest]], start_ns[calls.request[longest]]
    by_turn = np.lexsort((start, of))
    longest, of = longest[by_turn], np.unique(of[by_turn], return_inverse=True)[1].astype(np.int64)
    turn = np.arange(len(of)) - np.searchsorted(of, of)
    given = calls.given[longest].astype(np.float64)
    return of, turn, given, given - calls.cached[longest], calls.model.codes[longest]


def _slopes(of: I64, turn: I64, tokens: F64) -> F64:
    """Tokens for each turn in every conversation that has enough of them, by least squares."""
    count = np.bincount(of)
    enough = count >= LEAST_TURNS
    mean_turn, mean = np.bincount(of, turn) / count, np.bincount(of, tokens) / count
    off = turn - mean_turn[of]
    return np.asarray((np.bincount(of, off * (tokens - mean[of])) / np.maximum(np.bincount(of, off**2), 1e-9))[enough])


def _cost(calls: ModelCalls, code: I32, models: list[ModelTokens]) -> float | None:
    """ns for each input token of the model that reads most of these prompts."""
    counts = np.bincount(code[code >= 0], minlength=len(calls.model.names))
    if not counts.any():
        return None
    name = calls.model.names[int(np.argmax(counts))]
    return next(
        (one.input_token.ns for one in models if one.model == name and one.input_token and one.by_first_token), None
    )


def growth_sentence(growth: PromptGrowth) -> str:
    """By how much prompts grow with the turn of a conversation, and what a late turn pays for it."""
    text = f"prompts grow by {growth.tokens:,.0f} tokens a turn ({growth.ci_low:,.0f} – {growth.ci_high:,.0f})"
    late = f"turn {growth.turn:,} has {growth.more_tokens:,} more than the first"
    if growth.more_ns:
        late = f"turn {growth.turn:,} costs {format_duration(growth.more_ns)} more to its first token"
    return f"{text}; {late} ({growth.conversations:,} conversations)"
