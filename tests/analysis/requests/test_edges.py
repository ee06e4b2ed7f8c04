"""Which requests are chosen, at the edges: attributes that only some have, instants on the limit."""

import pytest

import overbudget
from tests.dataset_builder import FIRST_START_NS, MS, DatasetBuilder, S, Work


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> overbudget.Dataset:
    """Sixty requests, one a second; every other one names a tenant."""
    builder = DatasetBuilder()
    for number in range(60):
        tenant = {"tenant": "a"} if number % 2 else {}
        builder.request(Work("inference", 100 * MS, "chat"), start_ns=FIRST_START_NS + number * S, attributes=tenant)
    return overbudget.open(builder.write(tmp_path_factory.mktemp("requests") / "d.duckdb"))


def chosen(data: overbudget.Dataset, *only: str) -> int:
    found = data.review(only=list(only)).as_dict()["selected"]
    return int(found["requests"])


def test_an_attribute_that_only_some_requests_have_chooses_those(data: overbudget.Dataset) -> None:
    assert chosen(data, "attr:tenant=a") == 30
    assert chosen(data) == 60


def test_an_attribute_or_value_that_none_has_is_refused_in_words(data: overbudget.Dataset) -> None:
    with pytest.raises(overbudget.OverbudgetError, match="has the attribute `tenants`"):
        chosen(data, "attr:tenants=a")
    with pytest.raises(overbudget.OverbudgetError, match="`b`"):
        chosen(data, "attr:tenant=b")


def test_the_first_instant_is_in_and_the_last_is_not(data: overbudget.Dataset) -> None:
    assert chosen(data, "start=2026-09-21T14:13:20Z") == 60
    assert chosen(data, "start=2026-09-21T14:13:21Z") == 59
    assert chosen(data, "end=2026-09-21T14:13:21Z") == 1
    assert chosen(data, "start=2026-09-21T14:13:21Z", "end=2026-09-21T14:13:22Z") == 1


def test_several_values_are_any_of_them_and_several_keys_all(data: overbudget.Dataset) -> None:
    assert chosen(data, "route=POST /chat", "attr:tenant=a") == 30
    assert chosen(data, "status=OK") == 60
