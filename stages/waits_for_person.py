"""Time in which a request waits for a person and does nothing else (docs/reference/method.md, "Waiting for a person").

Latency excludes the critical path's time in spans of the stage `user` that is awaited while no other work of the request
runs. The rest of that time is unattributed, because the work that ran then is not on the path.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from overbudget.kernels.columns import I16, I32, I64, Bool, Segments, Tree
from overbudget.kernels.span_tree import in_flight
from overbudget.stages.names import ASKS_PERSON, DEFAULT_STAGES

USER = DEFAULT_STAGES.index(ASKS_PERSON)


class Waits(NamedTuple):
    """When requests wait for a person: one entry per wait."""

    request: I32
    start: I64
    end: I64

    def per_request(self, requests: int) -> I64:
        """int64[requests]: how long each waits in all (ns)."""
        waited = np.zeros(requests, np.int64)
        np.add.at(waited, self.request, self.end - self.start)
        return waited

    def before(self, until: I64) -> I64:
        """int64[requests]: how long each waits before the instant `until` (int64[requests])."""
        waited = np.zeros(len(until), np.int64)
        np.add.at(waited, self.request, np.maximum(np.minimum(self.end, until[self.request]) - self.start, 0))
        return waited


def waits_among(segments: Segments, stage: I16) -> Waits:
    """The waits among segments that `waits_for_person` has cut."""
    asked = np.flatnonzero(stage == USER)
    return Waits(segments.request[asked], segments.start[asked], segments.end[asked])


def not_waiting_in_flight(starts: I64, ends: I64, waits: Sequence[Waits]) -> I32:
    """Like `in_flight`; a request that waits for a person then is not in flight, because nothing works on it."""
    others = in_flight(starts, ends)
    if not sum(len(some.start) for some in waits):
        return others
    request, since, until = (np.concatenate(column) for column in zip(*waits, strict=True))
    waiting = np.searchsorted(np.sort(since), starts, side="right") - np.searchsorted(
        np.sort(until), starts, side="right"
    )
    at_once = np.zeros(len(starts), np.int64)  # a request that begins with a wait does not count for itself
    at_once[request[since == starts[request]]] = 1
    return (others - (waiting - at_once)).astype(np.int32)


def waits_for_person(
    segments: Segments, stage: I16, tree: Tree, stage_of: I16, request_of: I32, unattributed: int
) -> tuple[Segments, I16]:
    """The segments and the stage of each, cut where a wait for a person begins or ends: USER for the waits alone.

    `stage` is that of each segment, `stage_of` that of each node; `unattributed` is the stage of what is no wait.

    user       [======]    becomes   [====] user and [==] unattributed
    tool call      [====]
    """
    of_user = stage == USER
    if not of_user.any():
        return segments, stage
    rows = np.flatnonzero(of_user & (segments.awaited | (segments.while_running >= 0)))
    stage = np.where(of_user, np.int16(unattributed), stage).astype(np.int16)
    if not len(rows):
        return segments, stage
    working = _working(tree, stage_of, request_of, np.unique(segments.request[rows]), unattributed)
    row, start, end, waits = _pieces(segments, rows, request_of[working], tree.start[working], tree.end[working])
    whole = np.setdiff1d(np.arange(len(stage)), rows)
    source, since = np.append(whole, row), np.append(segments.start[whole], start)
    until, waited = np.append(segments.end[whole], end), np.append(np.zeros(len(whole), bool), waits)
    order = np.lexsort((since, segments.request[source]))
    source, waited = source[order], waited[order]
    cut = Segments._make(column[source] for column in segments)._replace(start=since[order], end=until[order])
    return cut, np.where(waited, np.int16(USER), stage[source]).astype(np.int16)


def _working(tree: Tree, stage_of: I16, request_of: I32, requests: I32, unattributed: int) -> I64:
    """The nodes of `requests` that do work themselves: classified leaves that are not waits for a person."""
    leaf = np.ones(len(tree.parent), bool)
    leaf[tree.parent[tree.parent >= 0]] = False
    works = leaf & (stage_of != USER) & (stage_of != unattributed) & (tree.end > tree.start)
    return np.flatnonzero(works & np.isin(request_of, requests))


def _pieces(segments: Segments, rows: I64, request: I32, start: I64, end: I64) -> tuple[I64, I64, I64, Bool]:
    """The segments `rows` in pieces: row, start, end, and whether nothing of its request runs meanwhile.

    `request`, `start` and `end` are those of the work. All starts and ends are swept in time order, request by request.
    """
    asked, worked = len(rows), len(request)
    of = np.concatenate([segments.request[rows], segments.request[rows], request, request])
    at = np.concatenate([segments.start[rows], segments.end[rows], start, end])
    asks = np.repeat(np.array([1, -1, 0, 0]), [asked, asked, worked, worked])
    works = np.repeat(np.array([0, 0, 1, -1]), [asked, asked, worked, worked])
    order = np.lexsort((asks, at, of))
    opened = np.where(asks[order] > 0, order, -1)  # a segment's place in `rows`, where it begins
    current = opened[np.maximum.accumulate(np.where(opened >= 0, np.arange(len(order)), 0))]
    inside = (np.cumsum(asks[order]) > 0) & (at[order] < np.append(at[order][1:], at[order][-1]))
    piece = np.flatnonzero(inside)
    row, waits = rows[current[piece]], np.cumsum(works[order])[piece] == 0
    since, until = at[order][piece], at[order][piece + 1]
    first = np.append(True, (row[1:] != row[:-1]) | (waits[1:] != waits[:-1]))
    last = np.append(first[1:], True)
    return row[first], since[first], until[last], waits[first]
