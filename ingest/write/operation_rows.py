"""Rows of the relation `operations`."""

from typing import TYPE_CHECKING

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from overbudget.stages.names import MISSING_SCOPE
from overbudget.store.tables import insert, passing

if TYPE_CHECKING:
    from overbudget.stages.operation_table import Catalogue


# Spans from dumps, without those added for missing parents.
RECORDED = f"""(SELECT * FROM data.spans ANTI JOIN
    (SELECT operation_id FROM operations WHERE scope_name = '{MISSING_SCOPE}') USING (operation_id))"""


def store_operations(connection: duckdb.DuckDBPyConnection, table: pa.Table, catalogue: "Catalogue") -> None:
    """Write the relation `operations`; how many spans each has is filled in later."""
    connection.execute("DELETE FROM operations")
    columns = {
        "stage": pa.array([decision.stage for decision in catalogue.decisions], pa.string()),
        "weak": pa.array([decision.weak for decision in catalogue.decisions], pa.bool_()),
        "rule": pa.array([decision.rule for decision in catalogue.decisions], pa.string()),
        "span_count": pa.array(np.zeros(catalogue.count, np.int64)),  # known once duplicates are gone
        "peer": pa.array(catalogue.peers, pa.string()),
    }
    for name, column in columns.items():
        table = table.append_column(name, column)
    insert(connection, "operations", table)


def store_counts(connection: duckdb.DuckDBPyConnection, spans: npt.NDArray[np.int64]) -> None:
    """Fill in how many spans each operation has: `spans` by operation_id."""
    counted = pa.table({"operation_id": np.arange(len(spans), dtype=np.int32), "spans": spans})
    with passing(connection, counted=counted):
        connection.execute(
            "UPDATE operations o SET span_count = c.spans FROM counted c WHERE c.operation_id = o.operation_id"
        )
