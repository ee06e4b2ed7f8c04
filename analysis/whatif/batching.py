"""Servers that work on several calls at once, more slowly the more there are: what a replay of their queues cannot know."""

from collections.abc import Sequence

from overbudget.analysis.whatif.bounds import Doubt
from overbudget.analysis.whatif.changes import Cap, Change, Scale
from overbudget.analysis.whatif.factors import Nodes
from overbudget.analysis.whatif.lines import Line
from overbudget.kernels.replay import NodeChanges


def batching_doubts(
    changes: Sequence[Change], change: NodeChanges, lines: Sequence[Line], given: dict[int, int], nodes: Nodes
) -> tuple[Doubt, ...]:
    """The batching servers whose work or waits are changed; `given` has the changed numbers of servers by index into
    `lines`.

    Shorter calls leave room for others, so all of them get faster: `batching`. Removed waits mean more calls at a time, so
    all of them get slower: `more_at_once`.
    """
    replay_input = nodes.replay_input
    waits_only = all(isinstance(one, (Cap, Scale)) and one.what == "queue" for one in changes)
    found = [Doubt("more_at_once", lines[place].name) for place in given if lines[place].batches]
    changed = change.factor != 1
    if waits_only:
        kinds = dict.fromkeys(replay_input.shape.kind[changed & (replay_input.queued > 0)].tolist())
        found += [Doubt("more_at_once", replay_input.kinds[kind][1]) for kind in kinds]
    else:
        found += [Doubt("batching", line.name) for line in lines if line.batches and changed[line.node].any()]
    return tuple(dict.fromkeys(found))
