"""Advice on limits: the effect of one more server where calls wait for one."""

from collections.abc import Iterator

from overbudget.analysis.advice.proposal import LEAST_REQUESTS, Proposal
from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.whatif.changes import Servers
from overbudget.analysis.whatif.lines import Line
from overbudget.analysis.whatif.whatif import Workbench

AGAINST = {
    "": "what the limit protects must bear the additional work: check its load first",
    "rate": "the limit may be a quota or a contract: then make fewer calls, or ask for a higher quota",
}


def limits_too_small(bench: Workbench) -> Iterator[Proposal]:
    """Limits that the replay can raise: one more call at once."""
    for line in bench.nodes.replay_input.system.lines:
        waited, p50, p95 = line.waits()
        if waited < LEAST_REQUESTS:
            continue
        change = Servers(line.operations[0][1], line.servers + 1)
        evidence = (
            _limit(line),
            f"{waited:,} of {len(line.node):,} calls waited for it, {format_duration(p50)} at the median and "
            f"{format_duration(p95)} at p95",
            f"the effect is for {line.servers + 1} instead of {line.servers}, replayed over all requests together, "
            "first come, first served",
        )
        against = AGAINST["rate" if line.period_ns else ""]
        if line.within_calls and line.servers == 1:
            against = "a lock has one holder: it must be split (by key, by table), or held for a shorter time"
        yield Proposal("queue", line.operations, (change,), evidence, (against,), "strong")


def _limit(line: Line) -> str:
    if line.period_ns:
        return f"one starts every {format_duration(line.period_ns)}"
    each = f" for each of {line.instances:,}" if line.instances > 1 else ""
    return f"never more than {line.servers} run at once{each}, and the next begins when one of them ends"
