"""Advice on calls that need nothing of one another and yet wait for one another."""

from collections.abc import Iterator

from overbudget.analysis.advice.needs import feed_each_other, needs_of, varying
from overbudget.analysis.advice.proposal import LEAST_REQUESTS, Proposal
from overbudget.analysis.advice.sequential_calls import Run, sequential_calls
from overbudget.analysis.whatif.changes import Parallel
from overbudget.analysis.whatif.whatif import Workbench

INDEPENDENT_STAGES = ("tools", "retrieval", "database", "safety")  # whose calls may need nothing of each other
AT_ONCE_NS = 1_000_000  # a pause shorter than this is no work between two calls
LEAST_TOLD = 20  # pairs with an output and an input, that show whether one needs the other


def independent_calls(bench: Workbench) -> Iterator[Proposal]:
    """Calls of one stage under one parent that never overlap, although they seem to need nothing of each other.

    What speaks for it is that their order varies, or that recorded outputs do not recur in recorded inputs. A constant order alone is no
    advice, nor are roles that feed each other: embedding, search, reranking, model.
    """
    for run in sequential_calls(bench.nodes, INDEPENDENT_STAGES):
        if run.runs < LEAST_REQUESTS:
            break
        if run.overlapping > 0.05 * run.runs or feed_each_other(name for _, name in run.operations):
            continue
        told, needed = needs_of(bench, run.calls)
        shown = told >= LEAST_TOLD
        if needed > 0.05 * told or not (varying(run.swapped) or shown):
            continue
        change = Parallel(tuple(sorted({name for _, name in run.operations})))
        evidence, against = _reasons(run, told, needed)
        confidence = "strong" if varying(run.swapped) and shown else "plausible"
        yield Proposal("parallelise", run.operations, (change,), evidence, against, confidence)  # type: ignore[arg-type]


def _reasons(run: Run, told: int, needed: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    evidence = [
        f"in {run.runs:,} cases {run.most} calls of the stage {run.stage} run one after the other and never overlap"
    ]
    against = []
    if varying(run.swapped):
        evidence.append(
            f"their order varies: {run.orders} different ones were seen, {run.swapped:.0%} not the usual one"
        )
    else:
        against.append("their order is always the same")
    if run.pause_ns < AT_ONCE_NS:
        against.append("each starts at once when the one before has ended")
    if told:
        evidence.append(f"what one returns is in the input of the next in {needed:,} of {told:,} cases")
    else:
        against.append("no inputs and outputs are recorded that would show that none needs another")
    return tuple(evidence), tuple(against)
