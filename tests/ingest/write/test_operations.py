"""Which spans are one operation."""

import pyarrow as pa

from overbudget.ingest.batch import SpanBatch
from overbudget.ingest.write.operations import OperationCatalog
from overbudget.ingest.write.span_names import names_of
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
