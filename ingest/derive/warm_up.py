"""Every kernel of derive called once on one span, so that its machine code is at hand when it is needed."""

import numpy as np

from overbudget.kernels.columns import (
    OperationColumns,
    Requests,
    SpanColumns,
    Tree,
)
from overbudget.kernels.critical_path import critical_path
from overbudget.kernels.overlap import overlapping
from overbudget.kernels.span_tree import build_tree, find_requests
from overbudget.stages.assign import stage_of_nodes, stage_times

_ONE_OPERATION = OperationColumns(
    *(np.zeros(1, kind) for kind in (np.int32, np.int8, np.int32, np.int16, bool, np.int16))
)


def warm_up() -> None:
    """Run every kernel once, on one span, so that loading them is over when they are needed."""
    one = np.ones(1, np.uint64)
    times = np.ones(1, np.int64)
    tree, _ = build_tree(SpanColumns(one, one, one, 0 * one, times, times + 1, np.zeros(1, np.int32)), _ONE_OPERATION)
    find_requests(tree, _ONE_OPERATION)
    warm_up_paths()


def warm_up_paths() -> None:
    """Run the kernels that follow the trees, on one span, without making a tree of it: about half of all."""
    no, one = np.zeros(1, np.int32), np.ones(1, np.int64)
    span_id = one.astype(np.uint64)
    tree = Tree(no, no, no - 1, one, one + 1, 0 * one, no, span_id, no.astype(np.uint8), no)
    requests = Requests(no, no, np.ones(1, bool), no + 1, no)
    segments = critical_path(tree, requests, _ONE_OPERATION, no)
    overlapping(one, one, one + 1, one, one, one + 1)
    stage_times(tree, requests, no, segments, stage_of_nodes(tree, _ONE_OPERATION, 1), 2)
