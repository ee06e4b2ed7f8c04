"""What would the distribution of latency be if something were changed? (docs/reference/method.md, What-if)"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import duckdb
import numpy as np

from overbudget.analysis.budget.caps import total_cap
from overbudget.analysis.budget.model import Budget
from overbudget.analysis.common.percentiles import PERCENTILES, quantiles
from overbudget.analysis.requests.read import require_known
from overbudget.analysis.requests.table import I64, Filters
from overbudget.analysis.whatif.batching import batching_doubts
from overbudget.analysis.whatif.bounds import Bound, Doubt, bound_of, doubts, is_closed_loop
from overbudget.analysis.whatif.changes import Change
from overbudget.analysis.whatif.factors import Nodes, change_of, servers_of
from overbudget.analysis.whatif.lines import Line, System, line_of_node, queues_of, without
from overbudget.analysis.whatif.replay_input import ReplayInput, read_replay_input
from overbudget.analysis.whatif.untested import untested_doubts
from overbudget.analysis.whatif.waits_gone import events_without_waits, may_be_told
from overbudget.kernels.arrow import row_of
from overbudget.kernels.replay import Graph, NodeChanges, graph_of, lengths, replay
from overbudget.kernels.threads import together

MOST_KNOWN = 64  # outcomes that a workbench remembers
SLOW = 0.9  # of the requests are faster than the slow ones
MOST_LOST = 0.02  # of the slow requests, that may have lost spans


@dataclass(frozen=True)
class WhatIf:
    """Percentiles before and after, in ns. `within` are the shares of requests within `budget_ns`, the cap at
    p95; None without a cap.

    `lines` are the limits that were replayed, `kept` those whose waits stay as recorded; `bound` says whether `after` is at
    most or at least the truth, where `doubts` say that it is not exact. With doubts and no bound nothing can be proved. `at_least` are the
    percentiles without the waits that `after`, at most so long, keeps; None where that is not known.
    """

    changes: tuple[str, ...]
    before: tuple[tuple[int, int | None], ...]  # percentile, latency
    after: tuple[tuple[int, int | None], ...]
    within: tuple[float, float] | None
    budget_ns: int | None
    requests: int
    requests_changed: int
    lines: tuple[Line, ...] = ()
    kept: tuple[Line, ...] = ()
    bound: Bound | None = None
    doubts: tuple[Doubt, ...] = ()
    at_least: tuple[tuple[int, int | None], ...] | None = None
    sampled: str | None = None  # why no limit is replayed, where only some traces were kept

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts with the keys of docs/reference/json.md."""
        before, after = self.within or (None, None)
        least = dict(self.at_least or ())
        return {
            "changes": list(self.changes),
            "percentiles": [
                {"percentile": p, "before_ns": old, "after_ns": new, "at_least_ns": least.get(p)}
                for (p, old), (_, new) in zip(self.before, self.after, strict=True)
            ],
            "within_budget": {"before": before, "after": after},
            "budget_ns": self.budget_ns,
            "requests": self.requests,
            "requests_changed": self.requests_changed,
            "queues": [_queue(line, True) for line in self.lines] + [_queue(line, False) for line in self.kept],
            "sampled": self.sampled,
            "bound": self.bound,
            "doubts": [{"why": doubt.why, "operation": doubt.operation or None} for doubt in self.doubts],
        }


def _queue(line: Line, replayed: bool) -> dict[str, Any]:
    waited, p50, p95 = line.waits()
    return {
        "operation": line.name,
        "servers": line.servers,
        "per": line.per or None,
        "calls": len(line.node),
        "calls_waited": waited,
        "wait_p50_ns": p50,
        "wait_p95_ns": p95,
        "replayed": replayed,
    }


class _Replayed(NamedTuple):
    latency_ns: I64
    doubts: tuple[Doubt, ...]
    system: System  # whose lines were replayed
    at_least_ns: I64 | None  # without the waits that were kept


class _Run(NamedTuple):
    given: dict[int, int]  # changed numbers of servers, by line
    change: NodeChanges
    graph: Graph
    system: System
    after: I64  # the events of all spans
    of_batches: tuple[Doubt, ...]


class Workbench:
    """The requests of a dataset, ready to be replayed with one change after another.

    `table` has the requests, in the order of `durations`; `nodes` has their spans.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        budget: Budget | None = None,
        filters: Filters | None = None,
        replay_input: ReplayInput | None = None,
    ) -> None:
        """`replay_input` is read from the dataset where it is not given.

        Errors: OverbudgetError where a filter names what the dataset does not have.
        """
        replay_input = replay_input or read_replay_input(connection, budget)
        require_known(replay_input.requests, filters or Filters())
        self.table, of = replay_input.requests.select(filters, whole_entries=True), replay_input.request_of
        row = row_of(self.table.request_no, of) if len(self.table) else np.full(len(of), -1, np.int32)
        row = np.where(of >= 0, row, -1).astype(np.int32)
        self.nodes = Nodes(replay_input, row, self.table)
        entries = np.flatnonzero((row >= 0) & (replay_input.shape.parent < 0))
        self._entry = np.empty(len(self.table), np.int64)
        self._entry[row[entries]] = entries
        self._cap_ns = self._cap_of(budget)
        self._known: dict[tuple[Change, ...], _Replayed] = {}

    def _cap_of(self, budget: Budget | None) -> int | None:
        """The cap at p95 for these requests: one of them is within budget up to it."""
        cap = total_cap(budget, self.table.routes)
        return cap.ns if cap else None

    def durations(self, changes: Sequence[Change]) -> I64:
        """int64[requests]: how long each request takes with the changes made.

        Errors: OverbudgetError where a change names something that does not occur.
        """
        return self._replayed(changes).latency_ns

    def _replayed(self, changes: Sequence[Change]) -> _Replayed:
        key = tuple(changes)
        if key not in self._known:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[key] = self._replay(changes)
        return self._known[key]

    def shortened(self, changes: Sequence[Change]) -> I64:
        """int64[requests]: the same, without asking how far it can be relied on. For searches, which replay many times."""
        found = self._run(changes)
        return np.asarray(self.table.latency_ns + self._moved(found, found.after), np.int64)

    def _run(self, changes: Sequence[Change]) -> "_Run":
        shape, system = self.nodes.replay_input.shape, self.nodes.replay_input.system
        given = servers_of(changes, system.lines)
        change, graph = change_of(changes, self.nodes), system.graph
        of_batches = batching_doubts(changes, change, (*system.lines, *system.unclear), given, self.nodes)
        kept = [
            place for place, line in enumerate(system.lines) if line.batches and (change.factor[line.node] != 1).any()
        ]
        if kept:
            left = [place for place in range(len(system.lines)) if place not in kept]
            given = {left.index(place): servers for place, servers in given.items() if place in left}
            system = without(system, kept, shape)
        if change.groups:
            graph = graph_of(shape, change.group, change.groups, line_of_node(system.lines, len(shape.parent)))
        queues = queues_of(system.lines, shape, system.graph, given)
        after, _ = together(lambda: replay(shape, graph, change, queues), self._known_doubts)
        return _Run(given, change, graph, system, after, of_batches)

    def _moved(self, run: "_Run", after: I64) -> I64:
        """How much longer each request takes than in a replay of nothing."""
        return (lengths(after) - lengths(run.system.nothing))[self._entry]

    def _replay(self, changes: Sequence[Change]) -> _Replayed:
        shape, run = self.nodes.replay_input.shape, self._run(changes)
        system, graph, change = run.system, run.graph, run.change
        moved = self._moved(run, run.after)
        found = run.of_batches + self._doubts(system, graph, change, run.after) if changes else ()
        if (moved != 0).any():
            found += self._lost_spans()
        latency_ns = np.asarray(self.table.latency_ns + moved, np.int64)
        at_least = None
        if may_be_told(bound_of(found, self.table.latency_ns, latency_ns), found, system):
            calls = self.nodes.replay_input.model_calls
            gone = events_without_waits(shape, graph, system, run.given, change, changes, calls)
            if gone is not None:
                at_least = np.minimum(self.table.latency_ns + self._moved(run, gone), latency_ns)
        return _Replayed(latency_ns, found, system, at_least)

    def _lost_spans(self) -> tuple[Doubt, ...]:
        """Whether many of the slow requests lost spans: what is not recorded, no change changes."""
        if not len(self.table):
            return ()
        slow = self.table.latency_ns >= np.quantile(self.table.latency_ns, SLOW)
        return (Doubt("lost_spans", ""),) if (~self.table.complete[slow]).mean() > MOST_LOST else ()

    def _known_doubts(self) -> None:
        """What doubts need that does not depend on the change: looked for while the change is replayed."""
        _ = self.nodes.replay_input.suspects, self.nodes.replay_input.reasons

    def _doubts(self, system: System, graph: Graph, change: NodeChanges, after: I64) -> tuple[Doubt, ...]:
        replay_input = self.nodes.replay_input
        names = tuple(name for _, name in replay_input.kinds)
        requests = replay_input.requests
        closed = bool(system.lines) and is_closed_loop(requests.start_ns, requests.start_ns + requests.latency_ns)
        found = doubts(replay_input.shape, system, replay_input.suspects, names, after, closed)
        return found + untested_doubts(
            replay_input.shape, graph, replay_input.reasons, system.nothing, after, change.group >= 0,
            self.nodes.request, self.table.latency_ns, names,
        )  # fmt: skip

    def what_if(self, changes: Sequence[Change], budget: Budget | None = None) -> WhatIf:
        """The distribution before and after; `budget` decides what is within budget, instead of the one given before.

        Errors: OverbudgetError where a change names something that does not occur.
        """
        before, (after, doubted, system, at_least) = self.table.latency_ns, self._replayed(changes)
        cap = self._cap_of(budget) if budget else self._cap_ns
        within = None
        if cap is not None and len(before):
            weight = self.table.weight
            kept, keeps = (float(np.average(took <= cap, weights=weight)) for took in (before, after))
            within = (kept, keeps)
        old, new = self._percentiles(before), self._percentiles(after)
        least = self._percentiles(at_least) if at_least is not None else None
        changed = int((after != before).sum())
        return WhatIf(
            tuple(str(change) for change in changes), old, new, within, cap, len(before), changed, system.lines,
            system.unclear, bound_of(doubted, before, after), doubted, least, self.nodes.replay_input.sampling.sentence or None,
        )  # fmt: skip

    def _percentiles(self, latency_ns: I64) -> tuple[tuple[int, int | None], ...]:
        found = quantiles(latency_ns, PERCENTILES, weights=self.table.weight)[0]
        return tuple((one.percentile, one.value_ns) for one in found)
