"""Where advice comes from: each source looks for one kind of waste and proposes what to change (docs/reference/method.md, Advice)."""

import re
from collections.abc import Iterator, Sequence

import numpy as np

from overbudget.analysis.advice.caching import repeated_calls, shared_prompt_beginnings
from overbudget.analysis.advice.independent import independent_calls
from overbudget.analysis.advice.limits import limits_too_small
from overbudget.analysis.advice.proposal import LEAST_REQUESTS, Confidence, Proposal, Source, with_services
from overbudget.analysis.advice.steps import loops_that_run_more_often, many_calls_in_a_row
from overbudget.analysis.advice.token_counts import large_prompts_and_answers
from overbudget.analysis.advice.without_promise import cold_starts, connections_opened_each_time, hedged_calls
from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.common.percentiles import quantiles
from overbudget.analysis.requests.table import GOOD, I64, UNKNOWN
from overbudget.analysis.whatif.changes import Cap, DropRetries, Scale
from overbudget.analysis.whatif.whatif import Workbench
from overbudget.stages.names import MUCH_UNATTRIBUTED, UNATTRIBUTED

ERRATIC = 2.0  # times the spread of the steadiest model
WAITS = re.compile(r"\b(wait|sleep|poll|backoff|lock|acquire)\w*")
_SPLIT = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")
LONG_WAIT_NS = 20_000_000
SLOW_AT_TIMES = 4  # times the median, at p95
SAME_LENGTH = 0.02  # of the median, from p5 to p95


def retried_calls(bench: Workbench) -> Iterator[Proposal]:
    """Failed calls that were retried."""
    failed = np.zeros(len(bench.nodes.request), bool)
    failed[bench.nodes.replay_input.shape.retry_of[bench.nodes.replay_input.shape.retry_of >= 0]] = True
    failed &= bench.nodes.request >= 0
    if not failed.any():
        return
    count, requests = int(failed.sum()), len(np.unique(bench.nodes.request[failed]))
    operations = with_services(bench, np.unique(bench.nodes.replay_input.operation[failed]).tolist())
    evidence = (f"{count:,} calls in {requests:,} requests failed and were retried under the same parent",)
    against = ("without the retries the requests would have failed: fix the failures, not the retries",)
    yield Proposal("retries", operations, (DropRetries(),), evidence, against, "strong")


def waiting_in_queues(bench: Workbench) -> Iterator[Proposal]:
    """Time in the stage queue."""
    table = bench.table
    if "queue" not in table.stages or not len(table):
        return
    waited = table.stage_ns[:, table.stages.index("queue")]
    if not waited.any():
        return
    p50, p95 = (one.value_ns or 0 for one in quantiles(waited, (50, 95))[0])
    evidence = (
        f"requests wait {format_duration(p50)} at the median and {format_duration(p95)} at p95 for a free slot",
    )
    against = ("more capacity costs money; fewer requests at a time means turning some away",)
    waiting = (bench.nodes.replay_input.stage == table.stages.index("queue")) | (bench.nodes.replay_input.queued > 0)
    names = bench.nodes.replay_input.operation[waiting & (bench.nodes.request >= 0)]
    operations = with_services(bench, np.unique(names).tolist())
    yield Proposal("queue", operations, (Scale("queue", 0.0),), evidence, against, "strong")


def _all_the_same(times: I64) -> bool:
    """Whether nearly all times are the same, as with fixed waits and never with work."""
    low, middle, high = (one.value_ns or 0 for one in quantiles(times, (5, 50, 95))[0])
    return high - low <= SAME_LENGTH * middle


def _with_nothing_below(bench: Workbench, besides: Sequence[str]) -> Iterator[tuple[int, I64]]:
    """Operations that never call anything, with the time of each call; without those that are ever of a stage in `besides`."""
    nodes, replay_input = bench.nodes, bench.nodes.replay_input
    inside = (nodes.request >= 0) & (
        (replay_input.shape.waiter >= 0) | (replay_input.shape.parent < 0)
    )  # calls that something waits for
    apart = np.isin(replay_input.stage, [place for place, stage in enumerate(bench.table.stages) if stage in besides])
    work = inside & ((replay_input.shape.first[1:] > replay_input.shape.first[:-1]) | apart)
    worked = np.bincount(replay_input.operation[work], minlength=len(replay_input.names))
    calls = np.bincount(replay_input.operation[inside], minlength=len(replay_input.names))
    took = replay_input.tree.end - replay_input.tree.start
    for operation in np.flatnonzero((calls >= LEAST_REQUESTS) & (worked == 0)).tolist():
        yield operation, took[inside & (replay_input.operation == operation)]


def waits_for_nothing(bench: Workbench) -> Iterator[Proposal]:
    """Operations without children whose name, or whose constant duration, shows that they only wait."""
    nodes = bench.nodes
    if _all_the_same(bench.table.latency_ns):
        return
    for operation, own in _with_nothing_below(bench, ("queue",)):
        name = nodes.replay_input.names[operation]
        middle = int(np.median(own))
        waits = WAITS.search(_SPLIT.sub(" ", name).lower())
        fixed = middle >= LONG_WAIT_NS and _all_the_same(own)
        if not waits and not fixed:
            continue
        evidence = [f"its name says that `{name}` waits, {format_duration(middle)} at the median"] if waits else []
        if fixed:
            evidence.append(
                f"it takes {format_duration(middle)} nearly every time (p5 to p95 alike): a fixed wait, not work"
            )
        against = (
            "something else must signal when to go on: use a notification instead of polling, or a shorter wait",
        )
        confidence: Confidence = "plausible" if waits and fixed else "weak"
        operations = with_services(bench, [operation])
        yield Proposal("blocking", operations, (Scale(name, 0.0),), tuple(evidence), against, confidence)


def calls_slow_at_times(bench: Workbench) -> Iterator[Proposal]:
    """Operations without children of which some calls take many times as long as others."""
    for operation, own in _with_nothing_below(bench, ("queue", "inference")):
        p50, p75, p95 = (one.value_ns or 0 for one in quantiles(own, (50, 75, 95))[0])
        if p95 < SLOW_AT_TIMES * p50 or p95 - p75 < LONG_WAIT_NS:
            continue
        name = bench.nodes.replay_input.names[operation]
        evidence = (
            f"it takes {format_duration(p50)} at the median and {format_duration(p95)} at p95, with nothing running below it",
            f"the effect is that of calls which never take longer than their p75, {format_duration(p75)}",
        )
        against = ("first find out why some calls are slow: overbudget tail shows what they have in common",)
        operations = with_services(bench, [operation])
        yield Proposal("blocking", operations, (Cap(name, p75),), evidence, against, "plausible")


def unexplained_time(bench: Workbench) -> Iterator[Proposal]:
    """A large part of the time is in no classified span."""
    table = bench.table
    if UNATTRIBUTED not in table.stages or not len(table):
        return
    share = table.stage_ns[:, table.stages.index(UNATTRIBUTED)].sum() / max(int(table.latency_ns.sum()), 1)
    if share <= MUCH_UNATTRIBUTED:
        return
    evidence = (f"{share:.0%} of the time passes in no span of a known stage",)
    against = ("instrumenting it makes nothing faster by itself",)
    yield Proposal("instrument", (), (), evidence, against, "weak")


def erratic_models(bench: Workbench) -> Iterator[Proposal]:
    """A model whose calls spread far more than those of another one."""
    nodes, table = bench.nodes, bench.table
    if "inference" not in table.stages or not len(table):
        return
    stage = table.stages.index("inference")
    calls = (nodes.replay_input.stage == stage) & (nodes.request >= 0)
    outermost = calls & ~np.where(
        nodes.replay_input.shape.parent >= 0, calls[np.maximum(nodes.replay_input.shape.parent, 0)], False
    )
    model = np.where(nodes.request >= 0, table.model.codes[np.maximum(nodes.request, 0)], -1)
    took = nodes.replay_input.tree.end - nodes.replay_input.tree.start
    spreads = {}
    for code, name in enumerate(table.model.names):
        here = outermost & (model == code)
        if here.sum() >= LEAST_REQUESTS:
            p50, p95 = (one.value_ns or 1 for one in quantiles(took[here], (50, 95))[0])
            spreads[code] = (p95 / p50, p50, p95, name)
    if len(spreads) < 2:
        return
    steady = min(spreads.values())
    for code, (spread, p50, p95, name) in spreads.items():
        own = np.unique(nodes.replay_input.operation[outermost & (model == code)])
        others = np.unique(nodes.replay_input.operation[outermost & (model != code)])
        only = np.setdiff1d(own, others).tolist()
        if spread < ERRATIC * steady[0] or not only:
            continue
        evidence = [
            f"{name} takes {format_duration(p95)} at p95, {spread:.1f} times its median of {format_duration(p50)}",
            f"{steady[3]} takes {format_duration(steady[2])} at p95, {steady[0]:.1f} times its median; "
            "the effect is that of calls which never take longer than that",
        ]
        against = _answers(bench, code, table.model.names.index(steady[3]))
        operations = with_services(bench, only)
        changes = tuple(Cap(nodes.replay_input.names[one], steady[2]) for one in only)
        yield Proposal("model", operations, changes, tuple(evidence), tuple(against), "plausible")


def _answers(bench: Workbench, erratic: int, steady: int) -> list[str]:
    """What is known about how good the answers of two models are."""
    good, model = bench.table.good, bench.table.model.codes
    shares = []
    for code in (erratic, steady):
        judged = (model == code) & (good != UNKNOWN)
        if not judged.any():
            return ["how good the answers of either model are is not recorded"]
        shares.append(f"{(good[judged] == GOOD).mean():.0%} for {bench.table.model.names[code]}")
    return [f"share of good answers: {' and '.join(shares)}"]


SOURCES: tuple[Source, ...] = (
    independent_calls,
    repeated_calls,
    shared_prompt_beginnings,
    many_calls_in_a_row,
    loops_that_run_more_often,
    large_prompts_and_answers,
    retried_calls,
    limits_too_small,
    waiting_in_queues,
    waits_for_nothing,
    calls_slow_at_times,
    erratic_models,
    hedged_calls,
    cold_starts,
    connections_opened_each_time,
    unexplained_time,
)
