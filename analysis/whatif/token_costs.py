"""What tokens cost in time, per model: how long a call takes more for each that it reads and writes."""

from dataclasses import dataclass

import duckdb
import numpy as np

from overbudget.analysis.whatif.changes import Tokens
from overbudget.kernels.arrow import coded, numbers, row_of
from overbudget.kernels.columns import I32, I64, Tree
from overbudget.kernels.replay import F64
from overbudget.store.errors import OverbudgetError

MOST_FITTED = 2_000  # calls of a model
LEAST_FITTED = 40
ROUNDS = 30  # of reweighting; least absolute deviations converge well before
LEAST_EXPLAINED = 0.2  # of the spread of durations
_CALLS = """
WITH calls AS (
    SELECT span_no, s.operation_id, end_ns - start_ns AS took, map_from_entries(attributes) AS m
    FROM data.spans s JOIN operations o USING (operation_id) WHERE o.stage = 'inference'
)
SELECT span_no, took, coalesce(m['gen_ai.request.model'], m['llm.model_name'], m['gen_ai.response.model'], '') AS model,
    coalesce(try_cast(coalesce(m['gen_ai.usage.input_tokens'], m['llm.token_count.prompt']) AS BIGINT), -1) AS input,
    coalesce(try_cast(coalesce(m['gen_ai.usage.cache_read.input_tokens'], m['gen_ai.usage.cached_tokens'],
        m['llm.token_count.prompt_details.cache_read']) AS BIGINT), 0) AS cached,
    coalesce(try_cast(coalesce(m['gen_ai.usage.output_tokens'], m['llm.token_count.completion']) AS BIGINT), -1) AS output
FROM calls ORDER BY span_no
"""


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
    rows = connection.sql(_CALLS).to_arrow_table()
    node = row_of(tree.row, numbers(rows["span_no"]))
    took, given, cached, output = (numbers(rows[name]) for name in ("took", "input", "cached", "output"))
    kept = (node >= 0) & (given >= 0) & (output >= 0)
    is_call = np.zeros(len(parent), bool)
    is_call[node[kept]] = True
    up = parent[np.maximum(node, 0)]
    kept &= ~np.where(up >= 0, is_call[np.maximum(up, 0)], False)
    fresh = np.maximum(given - cached, 0)
    model = coded(rows["model"], "").codes
    cost = np.zeros((len(node), 2))
    for one in np.unique(model[kept]).tolist():
        here = np.flatnonzero(kept & (model == one))
        some = here[:: max(1, -(-len(here) // MOST_FITTED))]
        cost[here] = fitted(took[some], fresh[some], output[some])
    return ModelCalls(node[kept], took[kept], fresh[kept], output[kept], cost[kept])


def fitted(took: I64, given: I64, output: I64) -> tuple[float, float]:
    """ns per token read and per token written, by least absolute deviations of duration = a + b * read + c * written.

    0 where fewer than LEAST_FITTED calls tell, tokens hardly vary, or they explain little of how durations differ.
    """
    if len(took) < LEAST_FITTED:
        return 0.0, 0.0
    columns = [np.ones(len(took)), given.astype(np.float64), output.astype(np.float64)]
    told = [k for k in (1, 2) if columns[k].std() > 0.1 * max(columns[k].mean(), 1.0)]
    if not told:
        return 0.0, 0.0
    scale = [max(float(columns[k].mean()), 1.0) for k in told]
    x = np.stack([columns[0], *(columns[k] / size for k, size in zip(told, scale, strict=True))], axis=1)
    y = took / 1e6
    weight = np.ones(len(y))
    found = np.zeros(x.shape[1])
    for _ in range(ROUNDS):
        found = np.linalg.lstsq(x * weight[:, None], y * weight, rcond=None)[0]
        weight = 1 / np.sqrt(np.maximum(np.abs(y - x @ found), 1e-3))
    explained = 1 - np.abs(y - x @ found).sum() / max(np.abs(y - np.median(y)).sum(), 1e-9)
    costs = [0.0, 0.0]
    if explained >= LEAST_EXPLAINED:
        for k, value, size in zip(told, found[1:], scale, strict=True):
            costs[k - 1] = max(0.0, float(value) / size * 1e6)
    return costs[0], costs[1]


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
