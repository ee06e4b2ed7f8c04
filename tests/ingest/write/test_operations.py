"""Which spans are one operation."""

import duckdb
import pyarrow as pa

from overbudget.ingest.batch import SpanBatch
from overbudget.ingest.write.facts import facts_of
from overbudget.ingest.write.operations import OperationCatalog, with_records
from overbudget.ingest.write.span_names import names_of
from overbudget.stages.attribute_keys import MODEL_RECORDED, VECTOR_QUERY_TEXT
from tests.batches import batch


def numbers(catalog: OperationCatalog, spans: SpanBatch) -> list[int]:
    return catalog.encode(spans, names_of(spans).template).tolist()


def encode(*spans: dict, **kwargs: object) -> list[int]:
    return numbers(OperationCatalog(), batch(spans, **kwargs))  # type: ignore[arg-type]


def test_spans_alike_in_all_that_classification_looks_at_are_one_operation() -> None:
    same = {"name": "chat", "attributes": {"gen_ai.operation.name": "chat"}}
    assert (
        len(set(encode(same, {**same, "start_ns": 5}, {**same, "attributes": {**same["attributes"], "user.id": "7"}})))
        == 1
    )


def test_name_kind_service_scope_and_convention_keys_tell_operations_apart() -> None:
    base = {"name": "a"}
    ids = encode(
        base,
        {"name": "b"},
        {**base, "kind": "CLIENT"},
        {**base, "resource": 1},
        {**base, "scope": 1},
        {**base, "attributes": {"openinference.span.kind": "LLM"}},
        {**base, "attributes": {"openinference.span.kind": "TOOL"}},
        services=("shop", "cart"),
        scopes=("lib", "other"),
    )
    assert len(set(ids)) == len(ids)


def test_the_order_of_attributes_does_not_matter() -> None:
    one = {"attributes": {"db.system.name": "postgresql", "gen_ai.operation.name": "chat"}}
    two = {"attributes": dict(reversed(one["attributes"].items()))}
    assert len(set(encode(one, two))) == 1


def test_a_peer_tells_operations_apart_only_on_call_spans() -> None:
    a, b = {"attributes": {"server.address": "a"}}, {"attributes": {"server.address": "b"}}
    assert len(set(encode(a, b))) == 1
    assert len(set(encode({**a, "kind": "CLIENT"}, {**b, "kind": "CLIENT"}))) == 2


def test_numbers_go_on_across_batches_and_restarts() -> None:
    catalog = OperationCatalog()
    first = numbers(catalog, batch([{"name": "a", "attributes": {"gen_ai.operation.name": "chat"}}, {"name": "b"}]))
    assert numbers(catalog, batch([{"name": "b"}, {"name": "c"}])) == [first[1], 2]
    reopened = OperationCatalog.of(catalog.table())
    again = numbers(
        reopened, batch([{"name": "c"}, {"name": "a", "attributes": {"gen_ai.operation.name": "chat"}}, {"name": "d"}])
    )
    assert again == [2, first[0], 3]


def test_the_catalogue_says_what_each_operation_is() -> None:
    catalog = OperationCatalog()
    numbers(
        catalog,
        batch([{"name": "q", "kind": "CLIENT", "attributes": {"db.system.name": "mysql", "x": "1"}}], services=("",)),
    )
    (row,) = catalog.table().to_pylist()
    assert (row["service_name"], row["scope_name"], row["name"], row["kind"]) == (
        "unknown_service",
        "lib",
        "q",
        "CLIENT",
    )
    assert row["keys"] == [("db.system.name", "mysql")]
    assert isinstance(catalog.table(), pa.Table)


def test_queries_that_ask_for_vectors_are_an_operation_of_their_own() -> None:
    catalog = OperationCatalog()
    query = {"name": "query", "kind": "CLIENT"}
    texts = ("SELECT 1", "SELECT 2", "SELECT id FROM docs ORDER BY embedding <=> $1 LIMIT 5", "FT.SEARCH idx q KNN 3")
    spans = [{**query, "attributes": {"db.system.name": "postgresql", "db.query.text": text}} for text in texts]
    ids = numbers(catalog, batch(spans))
    assert ids[0] == ids[1] != ids[2] == ids[3]
    asks = [VECTOR_QUERY_TEXT in dict(keys) for keys in catalog.table()["keys"].to_pylist()]
    assert (asks[ids[0]], asks[ids[2]]) == (False, True)
    assert numbers(OperationCatalog.of(catalog.table()), batch(spans)) == ids


def test_what_spans_record_is_told_of_their_operation_and_tells_none_apart() -> None:
    catalog = OperationCatalog()
    spans = batch([{"name": "call", "attributes": {"gen_ai.request.model": "m"}}, {"name": "call"}, {"name": "other"}])
    ids = numbers(catalog, spans)
    assert ids[0] == ids[1] != ids[2]
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA data")
        connection.execute(
            "CREATE TABLE data.spans AS SELECT unnest([0, 1, 2]) AS span_no, unnest($ids) AS operation_id", {"ids": ids}
        )
        connection.execute("CREATE TEMP TABLE facts (span_no INTEGER, fact TINYINT, value VARCHAR)")
        connection.register("found", facts_of(spans, 0))
        connection.execute("INSERT INTO facts FROM found")
        told = with_records(connection, catalog.table())
    keys = [dict(keys) for keys in told["keys"].to_pylist()]
    assert (keys[ids[0]], keys[ids[2]]) == ({MODEL_RECORDED: None}, {})
    assert numbers(OperationCatalog.of(told), batch([{"name": "call"}, {"name": "other"}])) == [
        0,
        1,
    ]  # no part of the identity
