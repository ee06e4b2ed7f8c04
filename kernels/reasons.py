"""What the ends and starts of spans waited for, and whether a replay waits for something else (docs/reference/method.md, Bounds)."""

import numpy as np

from overbudget.kernels.jit import kernel
from overbudget.kernels.tally import FREE, grown, slot_of, tally

COULD, WAS = range(2)  # counters of a pair of operations
LEAST_TIMES = 20
LEAST_SHARE = 100  # one in so many


@kernel
def _pair(source, event, kind, kinds):
    """Who ended, before what: the operations, and whether it is a start or an end."""
    return (np.int64(kind[source >> 1]) * kinds + kind[event >> 1]) * 2 + (event & 1)


@kernel
def _latest(graph, at):
    """When the last of what each event waits for had happened; for those that wait for nothing, the least number."""
    latest = np.full(graph.waits.size, -(2**62), np.int64)
    for source in range(graph.waits.size):
        for i in range(graph.first[source], graph.first[source + 1]):
            latest[graph.after[i]] = max(latest[graph.after[i]], at[source])
    return latest


@kernel
def known_reasons(graph, at, kind, kinds):
    """A table from pairs (see _pair) to: how often the event waited for the end of the source, and how often that was the last
    thing it waited for. `at` are the events as they were."""
    keys, counts = tally(2)
    used, latest = 0, _latest(graph, at)
    for source in range(1, graph.waits.size, 2):
        for i in range(graph.first[source], graph.first[source + 1]):
            event = graph.after[i]
            key = _pair(source, event, kind, kinds)
            if 2 * used > keys.size:
                keys, counts = grown(keys, counts)
            place = slot_of(keys, key)
            if keys[place] == FREE:
                keys[place] = key
                used += 1
            counts[place, COULD] += 1
            counts[place, WAS] += at[source] == latest[event]
    return keys, counts


@kernel
def _untested(keys, counts, key):
    place = slot_of(keys, key)
    was = counts[place, WAS]
    return keys[place] != FREE and was < LEAST_TIMES and was * LEAST_SHARE < counts[place, COULD]


@kernel
def new_reasons(graph, was, now, kind, kinds, keys, counts, given):
    """Where the events `now` wait for the end of what hardly ever was the last thing that such an event waited for: the nodes
    whose start or end that is, what they wait for, and how long (ns) after the last known reason. `given`: nodes whose ends are
    reasons because the change says so; `keys` and `counts` are `known_reasons`."""
    latest, tested = _latest(graph, now), np.full(graph.waits.size, -(2**62), np.int64)
    before = _latest(graph, was)
    for source in range(graph.waits.size):
        for i in range(graph.first[source], graph.first[source + 1]):
            event = graph.after[i]
            known = source % 2 == 0 or given[source >> 1] or now[source] < latest[event] or was[source] == before[event]
            if known or not _untested(keys, counts, _pair(source, event, kind, kinds)):
                tested[event] = max(tested[event], now[source])
    found = np.flatnonzero(latest > tested)
    node, what, late = np.empty(found.size, np.int32), np.full(found.size, -1, np.int32), np.empty(found.size, np.int64)
    place = np.full(graph.waits.size, -1, np.int32)
    for k in range(found.size):
        place[found[k]] = k
        node[k], late[k] = found[k] >> 1, latest[found[k]] - tested[found[k]]
    for source in range(1, graph.waits.size, 2):
        for i in range(graph.first[source], graph.first[source + 1]):
            k = place[graph.after[i]]
            if k >= 0 and now[source] == latest[graph.after[i]]:
                what[k] = source >> 1
    return node, what, late
