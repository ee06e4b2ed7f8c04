"""A dataset made from an older one with changed spans: everything derived from them is computed again."""

from collections.abc import Callable
from pathlib import Path

import duckdb

from overbudget.ingest.write.operation_rows import RECORDED, store_counts, store_operations
from overbudget.store.dataset import build


def recompute(
    dataset: Path, to: Path, change: Callable[[duckdb.DuckDBPyConnection], None] | None, other: Path | None = None
) -> None:
    """Write `to` as `dataset` with `change` made to its spans, operations, resources and scopes; None makes a copy.

    `change` gets a connection in a transaction, on which the dataset `other` is attached as `other`. The older datasets
    stay as they were unless `to` is one of them, which is replaced when all is complete.

    Errors: OverbudgetError where `to` cannot be written.
    """
    with build(to, start_from=dataset) as connection:
        if change is None:
            return
        from overbudget.ingest.derive.derive import derive
        from overbudget.ingest.derive.missing_parents import replace_missing_parents
        from overbudget.ingest.derive.weights import weigh_as_said
        from overbudget.ingest.write.writer import Writer
        from overbudget.stages.operation_table import catalogue_of

        if other is not None:
            quoted = str(other).replace("'", "''")
            connection.execute(f"ATTACH '{quoted}' AS other (READ_ONLY)")
        connection.execute("BEGIN")
        change(connection)
        connection.execute("COMMIT")  # readers over separate connections follow; no other process sees this file yet
        connection.execute("BEGIN")
        writer = Writer(connection)
        replace_missing_parents(connection, writer)
        connection.execute("COMMIT")
        connection.execute("BEGIN")
        operations = writer.operations.table()
        catalogue = catalogue_of(operations)
        store_operations(connection, operations, catalogue)
        outcome = derive(connection, catalogue)
        store_counts(connection, outcome.spans_of_operation)
        weigh_as_said(connection)
        connection.execute(
            f"""UPDATE ingest_report i SET
                   spans = (SELECT count(*) FROM {RECORDED} s WHERE s.source_id = i.source_id),
                   requests = (SELECT count(*) FROM requests r WHERE r.source_id = i.source_id)"""
        )
        connection.execute("COMMIT")
        if other is not None:
            connection.execute("DETACH other")
