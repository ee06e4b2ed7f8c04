"""Appends span batches to the physical tables of a dataset that is being built."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from overbudget.ingest.batch import ATTRIBUTES, Evaluation, SpanBatch
from overbudget.ingest.write import facts
from overbudget.ingest.write.dimensions import Dimension
from overbudget.ingest.write.operations import OperationCatalog, service_names
from overbudget.ingest.write.span_names import names_of
from overbudget.kernels.content_hash import list_parts
from overbudget.stages.names import UNKNOWN_SERVICE
from overbudget.store.tables import insert


@dataclass(frozen=True)
class Numbered:
    """A batch ready to be stored."""

    rows: list[tuple[str, pa.Table]]  # relation, rows to append to it
    nameless: int  # spans without a service.name


class Writer:
    """Numbers the spans of batches and stores them. Continues where an existing dataset ends."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, withhold: Callable[[SpanBatch], SpanBatch] | None = None
    ) -> None:
        """`withhold` takes out of a batch what must not be stored, once its operations are known."""
        self._withhold = withhold
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
        self.evaluations: list[Evaluation] = []  # of spans that may be in any dump
        connection.execute("CREATE TEMP TABLE facts (span_no INTEGER, fact TINYINT, value VARCHAR)")
        if self.next_span_no:
            self._recall_facts()

    def numbered(self, batches: Iterable[SpanBatch], source_id: int) -> Iterator["Numbered"]:
        """Number the spans of batches and extract facts: everything except storing, so that a thread can run ahead."""
        for batch in batches:
            if not batch.spans.num_rows:
                self.evaluations += (self._withhold(batch) if self._withhold else batch).evaluations
                continue
            first, count = self.next_span_no, batch.spans.num_rows
            self.next_span_no += count
            resource = batch.spans["resource"].to_numpy()
            names = names_of(batch)
            numbers = {
                "span_no": np.arange(first, first + count, dtype=np.int32),
                "operation_id": self.operations.encode(batch, names.template),
            }
            batch = self._withhold(batch) if self._withhold else batch
            self.evaluations += batch.evaluations
            numbers |= {
                "resource_id": self._resources.encode(batch.resources)[resource],
                "scope_id": self._scopes.encode(batch.scopes)[batch.spans["scope"].to_numpy()],
                "source_id": np.full(count, source_id, np.int32),
            }
            spans = batch.spans.drop_columns(["name", "kind", "resource", "scope"])
            for name, column in numbers.items():
                spans = spans.append_column(name, pa.array(column))
            spans = spans.append_column("name", names.raw)
            rows = [
                *(("data.resources", new.rename_columns({"id": "resource_id"})) for new in self._resources.take_new()),
                *(("data.scopes", new.rename_columns({"id": "scope_id"})) for new in self._scopes.take_new()),
                ("data.spans", spans),
                ("facts", facts.facts_of(batch, first)),
                ("data.events", _of_spans(batch.events, first)),
                ("data.links", _of_spans(batch.links, first)),
            ]
            nameless = pc.equal(service_names(batch.resources), UNKNOWN_SERVICE).to_numpy(zero_copy_only=False)
            yield Numbered(
                [(relation, table) for relation, table in rows if table.num_rows], int(nameless[resource].sum())
            )

    def store(self, batch: "Numbered") -> None:
        """Append the rows of a batch."""
        for relation, rows in batch.rows:
            insert(self._connection, relation, rows)

    def _recall_facts(self) -> None:
        """Extract the facts of stored spans again, as a dataset does not keep them."""
        spans = self._connection.cursor().sql("SELECT span_no, attributes FROM data.spans").to_arrow_reader(ROWS)
        for rows in spans:
            self._store_facts(facts.of_attributes(coded_lists(rows["attributes"]), rows["span_no"].to_numpy()))
        events = self._connection.cursor().sql(
            "SELECT e.span_no, e.name, e.time_ns, e.attributes, s.start_ns FROM data.events e JOIN data.spans s USING (span_no)"
        )
        for rows in events.to_arrow_reader(ROWS):
            span_no = rows["span_no"].to_numpy()
            names, times = pa.chunked_array([rows["name"]]), pa.chunked_array([rows["time_ns"]])
            self._store_facts(facts.of_events(names, times, span_no, rows["start_ns"].to_numpy()))
            self._store_facts(facts.of_evaluations(names, coded_lists(rows["attributes"]), span_no))

    def _store_facts(self, found: pa.Table) -> None:
        insert(self._connection, "facts", found)


def _of_spans(rows: pa.Table, first_span_no: int) -> pa.Table:
    """Events or links that name their span by its number in the dataset instead of its row in the batch."""
    span_no = pa.array(rows["span"].to_numpy() + np.int32(first_span_no))
    return rows.drop_columns(["span"]).append_column("span_no", span_no)


ROWS = 100_000


def coded_lists(attributes: pa.ListArray | pa.ChunkedArray) -> pa.ChunkedArray:
    """Attribute lists as DuckDB returns them, with the keys dictionary-encoded as batches have them."""
    lists, keys, values = list_parts(attributes)
    entries = pa.StructArray.from_arrays([keys.dictionary_encode(), values], fields=list(ATTRIBUTES.value_type))
    return pa.chunked_array([pa.ListArray.from_arrays(pa.array(lists), entries, type=ATTRIBUTES)])
