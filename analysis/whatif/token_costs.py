"""What fewer tokens would save: calls that read and write, and what their tokens cost."""

from dataclasses import dataclass

import duckdb
import numpy as np

from overbudget.analysis.causes.token_calls import read_token_calls
from overbudget.analysis.causes.token_costs import ModelCost, fitted
from overbudget.analysis.whatif.changes import Tokens
from overbudget.kernels.arrow import numbers, row_of
from overbudget.kernels.columns import I32, I64, Tree
from overbudget.kernels.replay import F64
from overbudget.store.errors import OverbudgetError

_INFERENCE = (
    "SELECT span_no FROM data.spans JOIN operations USING (operation_id) WHERE stage = 'inference' ORDER BY span_no"
)


@dataclass(frozen=True)
class ModelCalls:
    """The model calls that record tokens, by node; `input` without those from the cache. `cost` is ns per token read and per
    token written, 0 where it is not told."""

    node: I32
    took: I64
    input: I64
    output: I64
    cost: F64  # [calls, 2]


def read_model_calls(connection: duckdb.DuckDBPyConnection, tree: Tree, parent: I32) -> ModelCalls:
    """The outermost model calls with their tokens, and what a token costs in time."""
    calls = read_token_calls(connection, numbers(connection.sql(_INFERENCE).to_arrow_table()["span_no"]))
    node = row_of(tree.row, calls.span_no)
    kept = (node >= 0) & (calls.prompt >= 0) & (calls.answer >= 0)
    is_call = np.zeros(len(parent), bool)
    is_call[node[kept]] = True
    up = parent[np.maximum(node, 0)]
    kept &= ~np.where(up >= 0, is_call[np.maximum(up, 0)], False)
    cost = np.zeros((len(node), 2))
    for one in np.unique(calls.model.codes[kept]).tolist():
        here = np.flatnonzero(kept & (calls.model.codes == one))
        some = here[calls.fits[here]]
        cost[here] = _ns(fitted(calls.sample(some, 0, some.astype(np.int64))))
    return ModelCalls(node[kept], calls.took_ns[kept], calls.prompt[kept], calls.answer[kept], cost[kept])


def _ns(cost: ModelCost) -> tuple[float, float]:
    return cost.prompt.ns if cost.prompt else 0.0, cost.answer.ns if cost.answer else 0.0


def token_factor(change: Tokens, calls: ModelCalls, nodes: int) -> F64:
    """What every span's time is multiplied by when its calls read or write other numbers of tokens; 1 for all others.

    Errors: OverbudgetError where the traces do not tell what a token costs.
    """
    side = 0 if change.side == "input" else 1
    tokens, cost = (calls.input, calls.output)[side], calls.cost[:, side]
    if not (cost > 0).any():
        what = "read" if side == 0 else "written"
        raise OverbudgetError(
            f"--tokens {change.side}: these traces do not tell what a token {what} costs: tokens are not recorded, hardly vary, "
            "or explain little of how long model calls take."
        )
    wanted = np.minimum(tokens, change.most) if change.most is not None else tokens * (change.factor or 0.0)
    saved = (tokens - wanted) * cost
    factor = np.ones(nodes)
    factor[calls.node] = np.maximum(0.0, 1 - saved / np.maximum(calls.took, 1))
    return factor
