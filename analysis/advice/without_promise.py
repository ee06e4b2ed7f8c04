"""Advice without a predicted saving: hedged calls, cold starts, connections that are opened for each call.

The cost is shown; traces do not show what would be saved, because leaving out a hedge, or keeping an instance warm, changes
what other calls wait for.
"""

import re
from collections.abc import Iterator

import numpy as np

from overbudget.analysis.advice.proposal import LEAST_REQUESTS, Proposal, ask
from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.whatif.whatif import Workbench
from overbudget.kernels.arrow import numbers

COLD = "faas.coldstart"
OPENS = re.compile(r"\b(connect|handshake|tls|ssl|dns)\b")
_SPLIT = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")
SLOWER = 1.5  # times as long as warm calls: cold ones are reported from here on
MOSTLY = 0.5  # least share of the calls that open a connection first
PART = 0.1  # least part of a call's median that opening takes


def hedged_calls(bench: Workbench) -> Iterator[Proposal]:
    """Operations of which a second call is sent after a fixed time."""
    replay_input, inside = bench.nodes.replay_input, bench.nodes.request >= 0
    shape = replay_input.shape
    for kind in np.unique(shape.kind[shape.lost & inside]).tolist():
        calls, lost = inside & (shape.kind == kind), inside & shape.lost & (shape.kind == kind)
        if lost.sum() < LEAST_REQUESTS:
            continue
        hedges = int(lost.sum())
        evidence = (
            f"{hedges:,} of {int(calls.sum()) - hedges:,} calls are made a second time while the first runs, and the first answer "
            f"counts; the other call takes {format_duration(int(np.median((shape.end - shape.start)[lost])))} at the median",
        )
        against = ("each second call is load on the called service, most of all when that is slow",)
        yield Proposal("hedging", (replay_input.kinds[kind],), (), evidence, against, "strong")


_COLD = f"""
SELECT t.node, lower(list_filter(s.attributes, lambda e: e."key" = '{COLD}')[1]."value") = 'true' AS cold
FROM data.tree t JOIN chosen USING (node) JOIN data.spans s USING (span_no)
WHERE len(list_filter(s.attributes, lambda e: e."key" = '{COLD}')) > 0 ORDER BY node
"""


def cold_starts(bench: Workbench) -> Iterator[Proposal]:
    """Functions that record cold starts, where those calls take longer."""
    replay_input = bench.nodes.replay_input
    chosen = np.flatnonzero(bench.nodes.request >= 0)
    rows = ask(bench, f"SELECT node, cold::TINYINT AS cold FROM ({_COLD})", chosen).to_arrow_table()
    if rows.num_rows < LEAST_REQUESTS:
        return
    node, cold = numbers(rows["node"]), numbers(rows["cold"]) == 1
    took = (replay_input.shape.end - replay_input.shape.start)[node]
    for kind in np.unique(replay_input.shape.kind[node[cold]]).tolist():
        here = replay_input.shape.kind[node] == kind
        if min((here & cold).sum(), (here & ~cold).sum()) < LEAST_REQUESTS:
            continue
        slow, warm = (int(np.median(took[here & some])) for some in (cold, ~cold))
        if slow < SLOWER * warm:
            continue
        evidence = (
            f"{int((here & cold).sum()):,} of {int(here.sum()):,} calls are cold starts: {format_duration(slow)} at the median "
            f"instead of {format_duration(warm)}",
        )
        against = ("instances that are kept warm cost money while they are idle",)
        yield Proposal("cold_start", (replay_input.kinds[kind],), (), evidence, against, "strong")


def connections_opened_each_time(bench: Workbench) -> Iterator[Proposal]:
    """Calls that open a connection first, nearly every time, as a span below them shows."""
    replay_input, inside = bench.nodes.replay_input, bench.nodes.request >= 0
    shape = replay_input.shape
    opens = np.array([bool(OPENS.search(_SPLIT.sub(" ", name).lower())) for _, name in replay_input.kinds], bool)
    below = np.flatnonzero(inside & opens[shape.kind] & (shape.parent >= 0) & (shape.first[1:] == shape.first[:-1]))
    took = shape.end - shape.start
    for kind in np.unique(shape.kind[shape.parent[below]]).tolist():
        own = below[shape.kind[shape.parent[below]] == kind]
        calls = np.flatnonzero(inside & (shape.kind == kind))
        with_one = np.unique(shape.parent[own])
        if len(with_one) < max(LEAST_REQUESTS, MOSTLY * len(calls)):
            continue
        opening, whole = (int(np.median(took[some])) for some in (own, calls))
        if opening < PART * whole:
            continue
        evidence = (
            f"{len(with_one):,} of {len(calls):,} calls open a connection first: {format_duration(opening)} of "
            f"{format_duration(whole)} at the median",
        )
        against = ("a kept connection may have been closed by the other side: handle that by reconnecting",)
        yield Proposal("keep_alive", (replay_input.kinds[kind],), (), evidence, against, "plausible")
