"""Two parts of the requests of one dataset with their routes in the same mix, so that neither is slower for what it is asked."""

import numpy as np

from overbudget.analysis.requests.table import F64, I64, RequestTable


def in_one_mix(table: RequestTable, base: I64, candidate: I64) -> tuple[I64, I64, F64, F64]:
    """Of two sets of rows those on routes that both have, and the weights of each, which sum to 1.

    The routes of the base weigh as they do in the candidate.
    """
    routes = len(table.route.names)
    was, now = (
        np.bincount(table.route.codes[rows], table.weight[rows], minlength=routes) for rows in (base, candidate)
    )
    both = (was > 0) & (now > 0)
    base, candidate = (rows[both[table.route.codes[rows]]] for rows in (base, candidate))
    factor = np.divide(now, was, out=np.zeros(routes), where=was > 0)
    return (
        base,
        candidate,
        _parts(table.weight[base] * factor[table.route.codes[base]]),
        _parts(table.weight[candidate]),
    )


def _parts(weights: F64) -> F64:
    return weights / weights.sum() if len(weights) else weights
