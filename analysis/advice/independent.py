"""Advice on calls that run one after the other although none needs another's result."""

from collections.abc import Iterator

from overbudget.analysis.advice.needs import feed_each_other, needs_of, varying
from overbudget.analysis.advice.proposal import LEAST_REQUESTS, Proposal
from overbudget.analysis.advice.sequential_calls import Run, sequential_calls
from overbudget.analysis.whatif.changes import Parallel
from overbudget.analysis.whatif.whatif import Workbench

INDEPENDENT_STAGES = ("tools", "retrieval", "database", "safety")  # whose calls may need nothing of each other
AT_ONCE_NS = 1_000_000  # a pause shorter than this is no work between two calls
LEAST_COMPARED = 20  # pairs with a recorded output and input, to show whether one needs the other


def independent_calls(bench: Workbench) -> Iterator[Proposal]:
    """Calls of one stage under one parent that never overlap, although they seem not to need each other.

    Evidence is that their order varies, or that recorded outputs do not recur in recorded inputs. A constant order alone gives no
    advice, nor do roles that feed each other: embedding, search, reranking, model.
    """
    for run in sequential_calls(bench.nodes, INDEPENDENT_STAGES):
        if run.runs < LEAST_REQUESTS:
            break
        if run.overlapping > 0.05 * run.runs or feed_each_other(name for _, name in run.operations):
            continue
        compared, needed = needs_of(bench, run.calls)
        shown = compared >= LEAST_COMPARED
        if needed > 0.05 * compared or not (varying(run.swapped) or shown):
            continue
        change = Parallel(tuple(sorted({name for _, name in run.operations})))
        evidence, against = _reasons(run, compared, needed)
        confidence = "strong" if varying(run.swapped) and shown else "plausible"
        yield Proposal("parallelise", run.operations, (change,), evidence, against, confidence)  # type: ignore[arg-type]


def _reasons(run: Run, compared: int, needed: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    evidence = [
        f"in {run.runs:,} cases {run.most} calls of the stage {run.stage} run one after the other and never overlap"
    ]
    against = []
    if varying(run.swapped):
        evidence.append(
            f"their order varies: {run.orders} different orders, {run.swapped:.0%} of the cases not in the usual one"
        )
    else:
        against.append("their order is always the same")
    if run.pause_ns < AT_ONCE_NS:
        against.append("each starts as soon as the one before has ended")
    if compared:
        evidence.append(f"the output of one is part of the input of the next in {needed:,} of {compared:,} cases")
    else:
        against.append("no inputs and outputs are recorded that could show whether one needs another")
    return tuple(evidence), tuple(against)
