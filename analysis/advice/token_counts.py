"""Advice on the size of prompts and answers, by what tokens cost in time."""

from collections.abc import Iterator
from typing import Literal

import numpy as np

from overbudget.analysis.advice.proposal import LEAST_REQUESTS, Kind, Proposal, with_services
from overbudget.analysis.causes.model_tokens import tokens_of_models
from overbudget.analysis.causes.prompt_growth import PromptGrowth, growth_sentence, prompt_growth
from overbudget.analysis.common.percentiles import quantiles
from overbudget.analysis.requests.model_calls import conversations_of, read_model_calls
from overbudget.analysis.requests.table import I64
from overbudget.analysis.whatif.changes import Tokens
from overbudget.analysis.whatif.whatif import Workbench
from overbudget.kernels.replay import F64

LARGE = 3.0  # times the median, at p95: more than answers and prompts of one kind differ by themselves
SPREAD = 5.0  # times p10, at p95: prompts of one kind vary less, those that carry the whole conversation vary more
LEAST_READING = 0.1  # of p95 of the calls: the least time that reading the tokens beyond the median must take
SIDES: tuple[tuple[Literal["input", "output"], Kind, str, str], ...] = (
    ("input", "shorten_prompt", "prompts", "read"),
    ("output", "limit_output", "answers", "written"),
)
AGAINST = {
    "input": "the tokens cut from prompts may be what an answer needs: compare the share of good answers",
    "output": "an answer that is cut off is useless: ask for shorter ones, and compare the share of good answers",
}


def large_prompts_and_answers(bench: Workbench) -> Iterator[Proposal]:
    """Model calls of which some read or write far more tokens than usual, where tokens cost time."""
    nodes, calls = bench.nodes, bench.nodes.replay_input.model_calls
    here = nodes.request[calls.node] >= 0
    for k, (side, kind, what, done) in enumerate(SIDES):
        cost = calls.cost[:, k]
        some = here & (cost > 0)
        if some.sum() < LEAST_REQUESTS:
            continue
        tokens = (calls.input, calls.output)[k][some]
        p10, p50, p95 = (one.value_ns or 0 for one in quantiles(tokens.astype(np.int64), (10, 50, 95))[0])
        grows = side == "input" and p95 >= SPREAD * p10 and _reading_matters(p95 - p50, cost[some], calls.took[some])
        growth = prompt_growth_of(bench) if side == "input" and p50 >= 1 else None
        late = growth is not None and _reading_matters(growth.more_tokens, cost[some], calls.took[some])
        if p50 < 1 or not (p95 >= LARGE * p50 or grows or late):
            continue
        from_ = f"{p10:,} tokens at p10, {p50:,}" if grows else f"{p50:,} tokens"
        evidence = (
            *([growth_sentence(growth)] if growth is not None else []),
            f"{what} have {from_} at the median and {p95:,} at p95 ({int(some.sum()):,} calls)",
            f"each token {done} costs {np.median(cost[some]) / 1e6:.3g} ms, fitted over these calls; the effect is that of "
            f"{what} of at most {p50:,} tokens",
        )
        operations = with_services(bench, np.unique(nodes.replay_input.operation[calls.node[some]]).tolist())
        yield Proposal(kind, operations, (Tokens(side, most=p50),), evidence, (AGAINST[side],), "plausible")


def prompt_growth_of(bench: Workbench) -> PromptGrowth | None:
    """Whether prompts grow with the turn of a conversation, in the requests of the workbench."""
    calls = read_model_calls(bench.nodes.connection, bench.table)
    conversation = conversations_of(bench.nodes.connection, bench.table)
    if not (conversation >= 0).any():
        return None
    return prompt_growth(calls, conversation, bench.table.start_ns, tokens_of_models(calls))


def _reading_matters(tokens: int, cost: F64, took: I64) -> bool:
    """Whether so many tokens make up a large part of the time of slow calls."""
    return bool(tokens * np.median(cost) >= LEAST_READING * np.quantile(took, 0.95))
