"""What fewer tokens would save: model calls, and what their tokens cost in time."""

from dataclasses import dataclass

import duckdb
import numpy as np

from overbudget.analysis.causes.token_calls import TokenCalls, read_token_calls
from overbudget.analysis.causes.token_costs import LEAST_FITTED, ModelCost, fitted
from overbudget.analysis.whatif.changes import Tokens
from overbudget.kernels.arrow import row_of
from overbudget.kernels.columns import I32, I64, Tree
from overbudget.kernels.replay import F64
from overbudget.store.errors import OverbudgetError

MOST_RESIDUAL = 0.98  # quantile of the squared residuals; larger ones count as this


@dataclass(frozen=True)
class ModelCalls:
    """The model calls that record tokens, by node; `input` excludes tokens from the cache. `cost` is ns per token read and per
    token written, 0 where unknown; `spent` is the ns that each call spent reading and writing, at its own pace."""

    node: I32
    took: I64
    input: I64
    output: I64
    cost: F64  # [calls, 2]
    spent: F64  # [calls, 2]
    given: I64  # input tokens, those from the cache included


def read_model_calls(connection: duckdb.DuckDBPyConnection, tree: Tree) -> ModelCalls:
    """The model calls that record their tokens, and what a token costs in time."""
    calls = read_token_calls(connection)
    node = row_of(tree.row, calls.span_no)
    kept = (node >= 0) & (calls.prompt >= 0) & (calls.answer >= 0)
    cost, spent = np.zeros((len(node), 2)), np.zeros((len(node), 2))
    for one in np.unique(calls.model.codes[kept]).tolist():
        here = np.flatnonzero(kept & (calls.model.codes == one))
        some = here[calls.fits[here]]
        cost[here] = _ns(fitted(calls.sample(some, 0, some.astype(np.int64))))
        spent[here] = spent_on_tokens(calls, here, cost[here])
    return ModelCalls(
        node[kept],
        calls.took_ns[kept],
        calls.prompt[kept],
        calls.answer[kept],
        cost[kept],
        spent[kept],
        (calls.prompt + calls.cached)[kept],
    )


def spent_on_tokens(calls: TokenCalls, rows: I64, cost: F64) -> F64:
    """float64[rows, 2]: how long calls of one model spent reading and writing (ns), each at its own pace: the usual time for
    its tokens, plus the share of its deviation from the usual duration that scales with that time."""
    usual = cost * np.stack([calls.prompt[rows], calls.answer[rows]], axis=1)
    took, first = calls.took_ns[rows].astype(np.float64), calls.first_ns[rows]
    known, spent = (first >= 0) & (first <= took), np.empty_like(usual)
    for some, parts in (
        (known, ((first, (0,)), (took - first, (1,)))),
        (~known, ((took, (0, 1)),)),
    ):
        for part, sides in parts:
            here = np.asarray(part, np.float64)[some]
            left = here - usual[some][:, sides].sum(axis=1)
            left -= np.median(left) if len(left) else 0.0
            for side in sides:
                x = usual[some, side]
                spent[some, side] = np.clip(x + _share(x, left) * left, 0.0, here)
    return spent


def _share(x: F64, left: F64) -> F64:
    """The share of each residual that scales with x: the best linear estimate if squared residuals are a + b * x ** 2."""
    square = x * x
    if len(x) < LEAST_FITTED or not square.var():
        return np.zeros(len(x))
    residual = np.minimum(left * left, np.quantile(left * left, MOST_RESIDUAL))  # a few stalled calls must not decide
    slope = float(np.mean((square - square.mean()) * (residual - residual.mean())) / square.var())
    slope = min(max(slope, 0.0), float(residual.mean() / square.mean()))
    rest = float(residual.mean()) - slope * float(square.mean())
    return np.asarray(slope * square / np.maximum(rest + slope * square, 1.0))


def _ns(cost: ModelCost) -> tuple[float, float]:
    return cost.prompt.ns if cost.prompt else 0.0, cost.answer.ns if cost.answer else 0.0


def token_factor(change: Tokens, calls: ModelCalls, nodes: int) -> F64:
    """The factor of every span's time when its calls read or write another number of tokens; 1 for all others.

    Errors: OverbudgetError where the traces do not show what a token costs.
    """
    side = 0 if change.side == "input" else 1
    tokens, cost = (calls.input, calls.output)[side], calls.cost[:, side]
    if not (cost > 0).any():
        what = "read" if side == 0 else "written"
        raise OverbudgetError(
            f"--tokens {change.side}: these traces do not show what a token {what} costs: tokens are not recorded, hardly vary, "
            "or explain little of how long model calls take."
        )
    wanted = np.minimum(tokens, change.most) if change.most is not None else tokens * (change.factor or 0.0)
    saved = (1 - wanted / np.maximum(tokens, 1)) * calls.spent[:, side]
    factor = np.ones(nodes)
    factor[calls.node] = np.maximum(0.0, 1 - saved / np.maximum(calls.took, 1))
    return factor
