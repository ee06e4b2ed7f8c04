"""Spans added for parents that are in no dump, where nothing else could be the request.

An exporter that loses the root of every trace (or never writes it) leaves children that name a missing parent. The children
are then all that is known of the request: it began with the first of them and lasted at least until the end of the last.
"""

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from overbudget.ingest.batch import EVENTS, LINKS, RESOURCES, SCOPES, SPANS, SpanBatch
from overbudget.ingest.write.writer import ROWS, Writer, coded_lists
from overbudget.stages.names import MISSING_SCOPE
from overbudget.stages.operation_table import catalogue_of
from overbudget.store.tables import passing

# Traces without roots other than set-up spans (see `setup` of the catalogue): the parents of their topmost spans, unless one
# of those is of kind SERVER or CONSUMER.
_MISSING = """
WITH setting_up AS (
    SELECT operation_id FROM operations_now WHERE setup
), rootless AS (
    SELECT trace_id FROM data.spans LEFT JOIN setting_up u USING (operation_id) GROUP BY trace_id
    HAVING NOT bool_or(parent_span_id IS NULL AND u.operation_id IS NULL)
), inside AS (
    SELECT s.* EXCLUDE (name), o.kind, coalesce(s.name, o.name) AS name FROM data.spans s JOIN rootless USING (trace_id) JOIN operations_now o USING (operation_id)
), tops AS (
    SELECT i.* FROM inside i ANTI JOIN inside p ON p.trace_id = i.trace_id AND p.span_id = i.parent_span_id
    WHERE i.parent_span_id IS NOT NULL
), called AS (
    SELECT trace_id FROM tops WHERE kind IN ('SERVER', 'CONSUMER')
)
SELECT trace_id, parent_span_id AS span_id, min(start_ns) AS start_ns,
    arg_min('(missing) ' || name, (start_ns, span_no)) AS name,
    arg_min(resource_id, (start_ns, span_no)) AS resource_id, arg_min(source_id, (start_ns, span_no)) AS source_id
FROM tops ANTI JOIN called USING (trace_id) GROUP BY ALL ORDER BY trace_id, span_id
"""
_OPERATION = f"SELECT operation_id FROM operations WHERE scope_name = '{MISSING_SCOPE}'"


def replace_missing_parents(connection: duckdb.DuckDBPyConnection, writer: Writer) -> None:
    """Add a span for every missing parent that is the only possible request of its trace, replacing those added before.

    Such a span has the scope MISSING_SCOPE, the service of its first child, the name "(missing) " and that child's, and no
    end. An appended dump may have brought the parent, so the ones of an older dataset go first.
    """
    connection.execute(f"DELETE FROM data.spans WHERE operation_id IN ({_OPERATION})")
    operations = writer.operations.table()
    setup = catalogue_of(operations).setup
    named = operations.select(["operation_id", "kind", "name"]).append_column("setup", pa.array(setup))
    with passing(connection, operations_now=named):
        found = connection.sql(_MISSING).to_arrow_table()
    for source_id in np.unique(found["source_id"].to_numpy()).tolist():
        rows = found.filter(pc.equal(found["source_id"], source_id))
        for start in range(0, rows.num_rows, ROWS):
            for batch in writer.numbered([_batch(connection, rows.slice(start, ROWS))], source_id):
                writer.store(batch)


def _batch(connection: duckdb.DuckDBPyConnection, rows: pa.Table) -> SpanBatch:
    n = rows.num_rows
    ids = rows["resource_id"].to_numpy()
    distinct, resource = np.unique(ids, return_inverse=True)
    resources = connection.sql(
        "SELECT attributes, schema_url FROM data.resources WHERE resource_id IN $ids ORDER BY resource_id",
        params={"ids": distinct.tolist()},
    ).to_arrow_table()
    constant = {
        "trace_state": "", "flags": 0, "kind": "UNSPECIFIED", "end_ns": None, "status_code": "UNSET", "status_message": "",
        "attributes": [], "dropped_attributes_count": 0, "dropped_events_count": 0, "dropped_links_count": 0, "scope": 0,
    }  # fmt: skip
    columns = {
        "trace_id": rows["trace_id"],
        "span_id": rows["span_id"],
        "parent_span_id": pa.nulls(n, pa.string()),
        "name": rows["name"].cast(pa.dictionary(pa.int32(), pa.string())),
        "start_ns": rows["start_ns"],
        "resource": pa.array(resource.astype(np.int32)),
        **{name: pa.array([value] * n, SPANS.field(name).type) for name, value in constant.items()},
    }
    return SpanBatch(
        spans=pa.table([columns[name] for name in SPANS.names], schema=SPANS),
        resources=pa.table([coded_lists(resources["attributes"]), resources["schema_url"]], schema=RESOURCES),
        scopes=pa.table([[MISSING_SCOPE], [""], pa.array([[]], SCOPES.field("attributes").type), [""]], schema=SCOPES),
        events=EVENTS.empty_table(),
        links=LINKS.empty_table(),
    )
