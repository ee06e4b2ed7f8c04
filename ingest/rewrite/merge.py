"""Merging two datasets: spans that both have are kept once."""

from pathlib import Path

import duckdb

from overbudget.ingest.rewrite.recompute import recompute
from overbudget.store.dataset import open_dataset

_KEYS = ("service_name", "scope_name", "name", "kind", "keys")


def merge(base: Path, other: Path, to: Path) -> None:
    """Write `to` with the spans of both datasets; everything derived is computed again.

    Errors: OverbudgetError where one is not a dataset, or `to` cannot be written.
    """
    open_dataset(base).close()
    open_dataset(other).close()
    recompute(base, to, _add, other=other)


def _add(connection: duckdb.DuckDBPyConnection) -> None:
    """Copy the rows of `other`, numbered after those that are there."""
    spans, resources, scopes, sources, operations = connection.execute(
        """SELECT (SELECT coalesce(max(span_no) + 1, 0) FROM data.spans),
                  (SELECT coalesce(max(resource_id) + 1, 0) FROM data.resources),
                  (SELECT coalesce(max(scope_id) + 1, 0) FROM data.scopes),
                  (SELECT coalesce(max(source_id) + 1, 0) FROM ingest_report),
                  (SELECT coalesce(max(operation_id) + 1, 0) FROM operations)"""
    ).fetchall()[0]
    same = " AND ".join(f"o.{key} = b.{key}" for key in _KEYS)
    connection.execute(
        f"""INSERT INTO operations SELECT b.* REPLACE (
                ({operations} + row_number() OVER (ORDER BY b.operation_id) - 1)::INTEGER AS operation_id, 0 AS span_count)
            FROM other.operations b WHERE NOT EXISTS (SELECT 1 FROM operations o WHERE {same})"""
    )
    connection.execute(
        f"""CREATE TEMP TABLE renumbered AS SELECT b.operation_id AS old, o.operation_id AS new
            FROM other.operations b JOIN operations o ON {same}"""
    )
    for table, number, first in (("resources", "resource_id", resources), ("scopes", "scope_id", scopes)):
        connection.execute(
            f"INSERT INTO data.{table} SELECT * REPLACE ({number} + {first} AS {number}) FROM other.data.{table}"
        )
    connection.execute(
        f"""INSERT INTO data.spans SELECT s.* REPLACE (
                s.span_no + {spans} AS span_no, r.new AS operation_id, s.resource_id + {resources} AS resource_id,
                s.scope_id + {scopes} AS scope_id, s.source_id + {sources} AS source_id)
            FROM other.data.spans s JOIN renumbered r ON r.old = s.operation_id ORDER BY s.span_no"""
    )
    for table in ("events", "links"):
        connection.execute(
            f"INSERT INTO data.{table} SELECT * REPLACE (span_no + {spans} AS span_no) FROM other.data.{table}"
        )
    connection.execute(
        f"INSERT INTO ingest_report SELECT * REPLACE (source_id + {sources} AS source_id) FROM other.ingest_report"
    )
    connection.execute("DROP TABLE renumbered")
