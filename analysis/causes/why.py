"""Why a cause takes more time in one cohort of requests than in another: how often it runs, how large it is, how slow.

The change of K calls a request of c time each is split at the midpoint (the decomposition of L. H. Marshall and
F. Y. Edgeworth: each factor's change is weighted by the mean of the other's two values), so that no order of the factors
is preferred and the parts sum to the whole; see docs/reference/method.md.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from overbudget.analysis.common.durations import format_duration

UNCHANGED = 0.1  # of the excess: if the time per call changes by less, calls are "as long as before"
LEAST_CALLS = 1e-9  # mean calls per request: fewer count as none


@dataclass(frozen=True)
class Amount:
    """Means per request of a cohort (one without the operation counts as 0): calls made, those of them on the critical
    path, their time on it in ns, and tokens per call on the path (prompt not from the provider's cache, answer, prompt from
    the cache), which are None where unknown."""

    made: float
    on_path: float
    ns: float
    prompt_tokens: float | None = None
    answer_tokens: float | None = None
    cached_tokens: float | None = None


@dataclass(frozen=True)
class TokenCost:
    """What one more token costs in ns: of the prompt (not from the cache), of the answer; 0 where no cost shows. `explained`
    is the share of the spread of the calls' times that their tokens explain."""

    prompt_ns: float
    answer_ns: float
    explained: float = 0.0


@dataclass(frozen=True)
class Why:
    """The parts of an excess, which they sum to; calls made per request before and after; the largest part in words."""

    how_often_ns: int
    how_large_ns: int
    how_slow_ns: int
    calls_before: float
    calls_after: float
    sentence: str
    width: int = 1  # how many equal calls run at once and count as one
    tokens_explain: float | None = None  # of the spread of its calls' times, where what tokens cost is known

    def as_dict(self) -> dict[str, Any]:
        """The keys of `why` in JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _Parts:
    """One kind of calls (all that failed, or all that did not) before and after."""

    before: Amount
    after: Amount
    often: float
    prompt: float
    answer: float


def explain(
    before: Sequence[Amount], after: Sequence[Amount], excess_ns: int, cost: TokenCost | None = None, width: int = 1
) -> Why:
    """Split `excess_ns` into how often, how large and how slow.

    `before` and `after` hold the calls that did not fail, then those that did. `cost` is None where tokens explain nothing.
    `width` is how many equal calls run at once and count as one.
    """
    kinds = [_parts(one, other, cost) for one, other in zip(before, after, strict=True)]
    often = round(sum(kind.often for kind in kinds))
    large = round(sum(kind.prompt + kind.answer for kind in kinds))
    return Why(
        often,
        large,
        excess_ns - often - large,
        round(sum(one.made for one in before), 4),
        round(sum(one.made for one in after), 4),
        _sentence(kinds, excess_ns, excess_ns - often - large, width),
        width,
        None if cost is None else round(cost.explained, 4),
    )


def _parts(before: Amount, after: Amount, cost: TokenCost | None) -> _Parts:
    each_before = before.ns / before.on_path if before.on_path else None
    each_after = after.ns / after.on_path if after.on_path else each_before
    each = ((each_after or 0.0) + (each_before if each_before is not None else each_after or 0.0)) / 2
    often = _counted(after.made - before.made, after.on_path - before.on_path) * each
    calls = (before.on_path + after.on_path) / 2
    prompt = answer = 0.0
    if cost is not None and before.on_path and after.on_path:
        prompt = calls * cost.prompt_ns * _change(before.prompt_tokens, after.prompt_tokens)
        answer = calls * cost.answer_ns * _change(before.answer_tokens, after.answer_tokens)
    return _Parts(before, after, often, prompt, answer)


def _counted(made: float, on_path: float) -> float:
    """How many more calls: a call that is always made, but only sometimes waited for, is not made more often."""
    if made * on_path <= 0:
        return 0.0
    return min(made, on_path, key=abs)


def _change(before: float | None, after: float | None) -> float:
    return after - before if before is not None and after is not None else 0.0


def _sentence(kinds: Sequence[_Parts], excess_ns: int, slow: int, width: int) -> str:
    """The largest part that has the excess's sign; where large parts of opposite signs cancel out, the counts alone."""
    if excess_ns == 0:
        return "as before"
    fine, failed = kinds
    clauses = [
        (fine.often, _calls(fine, "call", width) + _as_before(fine, slow)),
        (failed.often, _calls(failed, "failed call", width)),
        (sum(kind.prompt for kind in kinds), _prompts(fine.before, fine.after)),
        (sum(kind.answer for kind in kinds), _tokens("answers", fine.before.answer_tokens, fine.after.answer_tokens)),
        (float(slow), _each(kinds, slow, width)),
    ]
    sizes = [size for size, _ in clauses]
    if max(sizes) > abs(excess_ns) and min(sizes) < -abs(excess_ns):
        most = max((fine.often, failed.often), key=abs)
        return _calls(failed, "failed call", width) if most == failed.often and most else _calls(fine, "call", width)
    sign = 1 if excess_ns > 0 else -1
    return max(clauses, key=lambda one: sign * one[0])[1]


def _as_before(kind: _Parts, slow: float) -> str:
    both = kind.before.on_path and kind.after.on_path
    return ", each as long as before" if both and abs(slow) <= UNCHANGED * abs(kind.often) else ""


def _calls(kind: _Parts, what: str, width: int) -> str:
    before, after = kind.before.made, kind.after.made
    if max(before, after) < 0.995:
        return f"{what}s in {_share(after)} of the requests instead of {_share(before)}"
    group = f" (of {width} at once)" if width > 1 else ""
    many, were = number(after), number(before)
    return f"{many} {what}{'' if many == '1' else 's'}{group} a request instead of {were if were != '0' else 'none'}"


def _prompts(before: Amount, after: Amount) -> str:
    """Longer prompts, or, where the provider's cache held part of them, more tokens outside of it."""
    if before.cached_tokens or after.cached_tokens:
        was, now = before.prompt_tokens or 0, after.prompt_tokens or 0
        return f"prompts with {now:,.0f} tokens not from the provider's cache instead of {was:,.0f}"
    return _tokens("prompts", before.prompt_tokens, after.prompt_tokens)


def _tokens(what: str, before: float | None, after: float | None) -> str:
    return f"{what} of {after or 0:,.0f} tokens instead of {before or 0:,.0f}"


def _each(kinds: Sequence[_Parts], slow: int, width: int) -> str:
    calls = sum((kind.before.on_path + kind.after.on_path) / 2 for kind in kinds)
    moved = format_duration(round(abs(slow) / calls) if calls > LEAST_CALLS else abs(slow))
    which = f"the slowest of {width} calls" if width > 1 else "each call"
    return f"{which} {moved} {'slower' if slow > 0 else 'faster'}"


def _share(share: float) -> str:
    return "none" if share == 0 else f"{share:.1%}" if share < 0.02 else f"{share:.0%}"


def number(calls: float) -> str:
    """Calls per request, rounded for reading: 4, 10.6, 1,000."""
    if calls < 0.005:
        return "0"
    text = f"{calls:,.2f}" if calls < 2 else f"{calls:,.1f}" if calls < 100 else f"{calls:,.0f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
