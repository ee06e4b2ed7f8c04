"""Appends span batches to the physical tables of a dataset that is being built."""

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest import facts
from ingest.batch import ATTRIBUTES, SpanBatch
from ingest.dimensions import Dimension
from ingest.hashing import list_parts
from ingest.operations import UNKNOWN_SERVICE, OperationCatalog, service_names
from store.dataset import insert


class Writer:
    """Numbers the spans of batches and stores them. Continues where an existing dataset ends."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self.operations = OperationCatalog.of(connection.sql("FROM operations ORDER BY operation_id").to_arrow_table())
        next_ids = connection.execute(
            """SELECT (SELECT coalesce(max(span_no) + 1, 0) FROM data.spans),
                      (SELECT coalesce(max(resource_id) + 1, 0) FROM data.resources),
                      (SELECT coalesce(max(scope_id) + 1, 0) FROM data.scopes),
                      (SELECT coalesce(max(source_id) + 1, 0) FROM ingest_report)"""
        ).fetchall()[0]
        self.next_span_no: int = next_ids[0]
        self.next_source_id: int = next_ids[3]
        self._resources = Dimension(next_ids[1])
        self._scopes = Dimension(next_ids[2])
        connection.execute("CREATE TEMP TABLE facts (span_no INTEGER, fact TINYINT, value VARCHAR)")
        if self.next_span_no:
            self._recall_facts()

    def write(self, batch: SpanBatch, source_id: int) -> int:
        """Store the spans, events and links of a batch; how many of its spans have no service.name."""
        first = self.next_span_no
        count = batch.spans.num_rows
        self.next_span_no += count
        resource_id = self._resources.encode(batch.resources)[batch.spans["resource"].to_numpy()]
        scope_id = self._scopes.encode(batch.scopes)[batch.spans["scope"].to_numpy()]
        for dimension, relation, number in (
            (self._resources, "data.resources", "resource_id"),
            (self._scopes, "data.scopes", "scope_id"),
        ):
            for rows in dimension.take_new():
                insert(self._connection, relation, rows.rename_columns({"id": number}))
        spans = batch.spans.drop_columns(["name", "kind", "resource", "scope"])
        numbers = {
            "span_no": np.arange(first, first + count, dtype=np.int32),
            "operation_id": self.operations.encode(batch),
            "resource_id": resource_id,
            "scope_id": scope_id,
            "source_id": np.full(count, source_id, np.int16),
        }
        for name, column in numbers.items():
            spans = spans.append_column(name, pa.array(column))
        insert(self._connection, "data.spans", spans)
        self._store_facts(facts.facts_of(batch, first))
        for table, relation in ((batch.events, "data.events"), (batch.links, "data.links")):
            if table.num_rows:
                span_no = pa.array(table["span"].to_numpy() + np.int32(first))
                insert(self._connection, relation, table.drop_columns(["span"]).append_column("span_no", span_no))
        nameless = pc.equal(service_names(batch.resources), UNKNOWN_SERVICE).to_numpy(zero_copy_only=False)
        return int(nameless[batch.spans["resource"].to_numpy()].sum())

    def _recall_facts(self) -> None:
        """Pick the facts of the spans that are stored already anew: they are not kept in a dataset."""
        spans = self._connection.cursor().sql("SELECT span_no, attributes FROM data.spans").to_arrow_reader(ROWS)
        for rows in spans:
            self._store_facts(facts.of_attributes(_coded(rows["attributes"]), rows["span_no"].to_numpy()))
        events = self._connection.cursor().sql(
            "SELECT e.span_no, e.name, e.time_ns, e.attributes, s.start_ns FROM data.events e JOIN data.spans s USING (span_no)"
        )
        for rows in events.to_arrow_reader(ROWS):
            span_no = rows["span_no"].to_numpy()
            names, times = pa.chunked_array([rows["name"]]), pa.chunked_array([rows["time_ns"]])
            self._store_facts(facts.of_events(names, times, span_no, rows["start_ns"].to_numpy()))
            self._store_facts(facts.of_evaluations(names, _coded(rows["attributes"]), span_no))

    def _store_facts(self, found: pa.Table) -> None:
        insert(self._connection, "facts", found)


ROWS = 100_000


def _coded(attributes: pa.ListArray) -> pa.ChunkedArray:
    """Attribute lists as DuckDB returns them, with the keys dictionary-encoded as batches have them."""
    lists, keys, values = list_parts(attributes)
    entries = pa.StructArray.from_arrays([keys.dictionary_encode(), values], fields=list(ATTRIBUTES.value_type))
    return pa.chunked_array([pa.ListArray.from_arrays(pa.array(lists), entries, type=ATTRIBUTES)])
