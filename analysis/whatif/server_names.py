"""Where spans run and what they call, as they record it: this distinguishes the servers of a line."""

import duckdb
import numpy as np

from overbudget.kernels.arrow import coded, numbers, row_of
from overbudget.kernels.columns import I32, Tree

POD_KEYS = ("k8s.pod.name", "service.instance.id", "host.name")
MODEL_KEYS = ("gen_ai.request.model", "llm.model_name", "gen_ai.response.model")


def servers_named(connection: duckdb.DuckDBPyConnection, tree: Tree) -> tuple[I32, I32, I32]:
    """int32[nodes], -1 where not recorded: the pod, the called peer, the model."""
    return _pods(connection, tree), _peers(connection, tree), _models(connection, tree)


def _pods(connection: duckdb.DuckDBPyConnection, tree: Tree) -> I32:
    keys = ", ".join(f'list_filter(attributes, lambda e: e."key" = \'{key}\')[1]."value"' for key in POD_KEYS)
    rows = connection.sql(
        f"SELECT resource_id, coalesce({keys}, '') AS pod FROM data.resources ORDER BY 1"
    ).to_arrow_table()
    pod = coded(rows["pod"], "")
    if len(pod.names) < 2:
        return np.full(len(tree.row), -1, np.int32)
    spans = connection.sql("SELECT span_no, resource_id FROM data.spans").to_arrow_table()
    resource = numbers(spans["resource_id"])[row_of(numbers(spans["span_no"]), tree.row)]
    return np.append(pod.codes, np.int32(-1))[row_of(numbers(rows["resource_id"]), resource)]


def _peers(connection: duckdb.DuckDBPyConnection, tree: Tree) -> I32:
    rows = connection.sql("SELECT operation_id, coalesce(peer, '') AS peer FROM operations ORDER BY 1").to_arrow_table()
    peer = coded(rows["peer"], "")
    return np.append(peer.codes, np.int32(-1))[row_of(numbers(rows["operation_id"]), tree.operation)]


def _models(connection: duckdb.DuckDBPyConnection, tree: Tree) -> I32:
    """The model of each span of the stage inference."""
    keys = ", ".join(f'list_filter(attributes, lambda e: e."key" = \'{key}\')[1]."value"' for key in MODEL_KEYS)
    query = f"""SELECT span_no, coalesce({keys}, '') AS model FROM data.spans
        WHERE operation_id IN (SELECT operation_id FROM operations WHERE stage = 'inference') ORDER BY span_no"""
    rows = connection.sql(query).to_arrow_table()
    model = coded(rows["model"], "")
    return np.append(model.codes, np.int32(-1))[row_of(numbers(rows["span_no"]), tree.row)]
