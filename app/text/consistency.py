"""How predictable latency is, in words and tables."""

from collections.abc import Sequence

from overbudget.analysis.causes.model_tokens import ModelTokens, TokenCost
from overbudget.analysis.causes.prompt_growth import growth_sentence
from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.consistency.consistency import Consistency, Model, Spread
from overbudget.analysis.consistency.conversations import Conversations
from overbudget.analysis.consistency.side_by_side import steadiest
from overbudget.app.text.blocks import Block, and_more, opening, table
from overbudget.app.text.side_by_side import side_by_side_blocks
from overbudget.app.text.words import capital, count, quoted, stage_name

MOST_ROWS = 12
TOO_FEW = "too few"


def consistency_blocks(found: Consistency) -> list[Block]:
    """How latency spreads: per stage, model, route and hour."""
    if found.total is None:
        return opening(sentences(found))
    return [
        *opening(sentences(found)),
        *_spreads("Stages (time of the requests that have them)", (found.total, *found.stages)),
        *_spreads("Models (latency of whole requests)", found.models),
        *side_by_side_blocks(found.side_by_side),
        *_models(found.models),
        *token_table(found.tokens),
        *_spreads("Routes", found.routes if len(found.routes) > 1 else ()),
        *_spreads("Hours (UTC)", found.hours if len(found.hours) > 1 else ()),
    ]


def sentences(found: Consistency) -> list[str]:
    """How steady requests are, what spreads most, what has two modes, and how long good answers take."""
    total = found.total
    if total is None:
        return ["There are no complete requests to look at."]
    if total.p95_over_p50 is None:
        said = [
            f"{count(total.requests, 'request')} {'is' if total.requests == 1 else 'are'} too few to show how latency spreads (p95 needs 72)."
        ]
    else:
        said = [f"p95 is {total.p95_over_p50:.1f} times the median ({format_duration(total.p50_ns)})."]
    if total.windows_over_budget:
        said[0] += (
            f" It is over its cap of {format_duration(total.budget_ns)} in {total.windows_over_budget} of {total.windows} windows of time."
        )
    known = [(one.p95_ns - one.p50_ns, one) for one in found.stages if one.p95_ns is not None and not one.part_of]
    if known:
        spread = max(known, key=lambda pair: pair[0])[1]
        times = f"{format_duration(spread.p95_ns)} at p95 against {format_duration(spread.p50_ns)} at the median"
        said.append(f"Of the stages {stage_name(spread.name)} spreads most: {times}.")
    for what, those in (("stage", found.stages), ("model", found.models), ("whole request", (total,))):
        said += [f"{_modes(what, one)}." for one in those if one.bimodal is not None][:2]
    steady = steadiest(found.side_by_side)
    if steady is not None:
        said.append(
            f"The steadiest model is {quoted(steady.name)}: p95 is {steady.steadiness:.1f} times its median "
            f"(95%: {steady.ci_low:.1f} – {steady.ci_high:.1f}), certainly less than of any other."
        )
    said += token_sentences(found)
    talks = found.conversations
    if talks is not None:
        said.append(conversation_sentence(talks))
    return said


def conversation_sentence(talks: Conversations) -> str:
    """How many conversations got a good answer, and how long the first one took."""
    got = f"{talks.reached:,} of {count(talks.conversations, 'conversation')} got a good answer"
    if not talks.p50_ns:
        return f"{got}."
    known = talks.p50_ci_low_ns is not None and talks.p50_ci_high_ns is not None
    between = (
        f" (95%: {format_duration(talks.p50_ci_low_ns)} – {format_duration(talks.p50_ci_high_ns)})" if known else ""
    )
    asks = f" and {talks.asks:.1f} requests on average" if talks.asks else ""
    return f"{got}. The first one takes {format_duration(talks.p50_ns)} at the median{between}{asks}."


def token_sentences(found: Consistency) -> list[str]:
    """What the tokens of the model with most calls cost in time, and whether prompts grow with turns."""
    told = next((one for one in found.tokens if one.input_token or one.output_token), None)
    said = []
    if told is not None:
        costs = []
        if told.input_token:
            costs.append(f"1,000 input tokens that are not cached take {_thousand(told.input_token)}")
        if told.output_token:
            costs.append(f"each output token takes {_each(told.output_token)}")
        said.append(f"In calls to {quoted(told.model)} {' and '.join(costs)}.")
        if told.cache_saves_ns:
            said.append(
                f"The provider's cache has {told.cached_share:.0%} of its input tokens and saves calls that use it "
                f"{format_duration(told.cache_saves_ns)} before the first token, on average."
            )
    return [*said, *([f"{capital(growth_sentence(found.prompt_growth))}."] if found.prompt_growth else [])]


def _thousand(cost: TokenCost) -> str:
    times = [format_duration(round(1000 * ns)) for ns in (cost.ns, cost.ci_low_ns, cost.ci_high_ns)]
    return f"{times[0]} ({times[1]} – {times[2]})"


def _each(cost: TokenCost) -> str:
    times = [format_duration(round(ns)) for ns in (cost.ns, cost.ci_low_ns, cost.ci_high_ns)]
    return f"{times[0]} ({times[1]} – {times[2]})"


TOKEN_COLUMNS = (
    "calls", "1,000 input tokens", "explains", "output token", "explains", "input from cache", "which saves",
)  # fmt: skip


def token_cells(one: ModelTokens) -> list[str]:
    """A row of what tokens cost, below TOKEN_COLUMNS; a dash where tokens vary too little to show it."""
    read = [_thousand(one.input_token), f"{one.input_token.explained:.0%}"] if one.input_token else ["–", "–"]
    written = [_each(one.output_token), f"{one.output_token.explained:.0%}"] if one.output_token else ["–", "–"]
    saves = format_duration(one.cache_saves_ns) if one.cache_saves_ns is not None else "–"
    return [f"{one.calls:,}", *read, *written, f"{one.cached_share:.0%}", saves]


def token_name(one: ModelTokens) -> str:
    """The model, and its provider where that is recorded."""
    return f"{one.model} ({one.provider})" if one.provider else one.model


def token_table(found: Sequence[ModelTokens]) -> list[Block]:
    """What tokens cost each model in time; nothing where no call records its tokens."""
    title = "What tokens cost in time (95 % intervals; input tokens that are not cached, before the first token)"
    rows = [[quoted(token_name(one))[1:-1], *token_cells(one)] for one in found[:MOST_ROWS]]
    return table(title, ["", *TOKEN_COLUMNS], rows, and_more(len(found) - MOST_ROWS))


def _modes(what: str, one: Spread) -> str:
    modes = one.bimodal
    assert modes is not None
    name = "The whole request" if what == "whole request" else f"The {what} {quoted(one.name)}"
    tops = f"around {format_duration(modes.fast_ns)} and around {format_duration(modes.slow_ns)}"
    return f"{name} has two modes, {tops} ({modes.slow_share:.0%} of the requests)"


def share_text(share: float | None) -> str:
    """A share as a percentage; a dash where it is not known."""
    return "–" if share is None else f"{share:.1%}"


def spread_name(one: Spread) -> str:
    """What a row is of; a part is shown below its stage."""
    return one.name if one.part_of is None else f"└ {stage_name(one.name)}"


def _spreads(title: str, found: Sequence[Spread]) -> list[Block]:
    good = any(one.good is not None for one in found)
    capped = any(one.budget_ns is not None for one in found)
    columns = ["", "requests", "p50", "p95", "p99", "p95/p50"]
    columns += ["p95 cap", "within it", "windows over it"] * capped + ["good"] * good
    rows = []
    for one in found[:MOST_ROWS]:
        ratio = f"{one.p95_over_p50:,.2f}" if one.p95_over_p50 is not None else "–"
        times = [format_duration(ns) if ns is not None else TOO_FEW for ns in (one.p50_ns, one.p95_ns, one.p99_ns)]
        windows = f"{one.windows_over_budget} of {one.windows}" if one.windows else "–"
        within = [format_duration(one.budget_ns), share_text(one.within_budget), windows] if capped else []
        answers = [share_text(one.good)] if good else []
        name = quoted(one.name)[1:-1] if one.part_of is None else spread_name(one)
        rows.append([name, f"{one.requests:,}", *times, ratio, *within, *answers])
    return table(title, columns, rows, and_more(len(found) - MOST_ROWS))


def _models(models: Sequence[Model]) -> list[Block]:
    times = ["p50", "p95", "p95/p50", "first token p50", "p95", "per token"]
    columns = ["", *times, "tokens in", "out", "cost", "good within p95 cap"]
    rows = []
    for one in models[:MOST_ROWS]:
        slow = format_duration(one.inference_p95_ns) if one.inference_p95_ns is not None else TOO_FEW
        ratio = f"{one.inference_p95_over_p50:.2f}" if one.inference_p95_over_p50 is not None else "–"
        tokens = [f"{n:,.0f}" if n is not None else "–" for n in (one.input_tokens, one.output_tokens)]
        cost = f"{one.cost:.5f}" if one.cost is not None else "–"
        shown = quoted(one.name)[1:-1], format_duration(one.inference_p50_ns), slow, ratio
        streamed = (one.ttft_p50_ns, one.ttft_p95_ns, one.time_per_output_token_p50_ns)
        first = [format_duration(ns) if ns is not None else "–" for ns in streamed]
        rows.append([*shown, *first, *tokens, cost, share_text(one.good_within_budget)])
    return table("Models (their answers alone; means per request)", columns, rows, and_more(len(models) - MOST_ROWS))
