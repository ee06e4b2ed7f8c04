"""Who makes requests slower: operations like with like, and hops charged to the service that delays them."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from overbudget.analysis.compare.growth import OperationGrowth, _drift, operation_growth, service_growth
from overbudget.analysis.requests.read import load_requests
from overbudget.analysis.requests.stored import load_path
from overbudget.store.dataset import open_dataset
from tests.dataset_builder import MS, DatasetBuilder, Work


def growth(tmp_path: Path, base: DatasetBuilder, candidate: DatasetBuilder) -> list[OperationGrowth]:
    found = []
    for name, builder in (("base", base), ("candidate", candidate)):
        connection = open_dataset(builder.write(tmp_path / f"{name}.duckdb"))
        table = load_requests(connection)
        found += [load_path(connection, table), table]
    return operation_growth(*found)  # type: ignore[arg-type]


def of_hops(
    times: dict[tuple[str, str], int], seed: int, requests: int = 40, builder: DatasetBuilder | None = None
) -> DatasetBuilder:
    """Requests in which each hop (from, to) takes about so many ms."""
    random = np.random.default_rng(seed)
    builder = builder or DatasetBuilder()
    for _ in range(requests):
        work = [
            Work("tools", int(ms * MS * random.uniform(0.9, 1.1)), f"call {to}", caller, to, 2 * MS)
            for (caller, to), ms in times.items()
        ]
        builder.request(*work, rest_ns=5 * MS)
    return builder


CALLS = {
    ("api", "search"): 4,
    ("api", "users"): 4,
    ("api", "orders"): 4,
    ("search", "index"): 3,
    ("orders", "stock"): 3,
}


def guilty(tmp_path: Path, **slower: int) -> str:
    delayed = {hop: CALLS[hop] + slower.get("_".join(hop), 0) for hop in CALLS}
    return service_growth(growth(tmp_path, of_hops(CALLS, 1), of_hops(delayed, 2)))[0].service_name


def test_a_hop_is_charged_to_the_service_it_leads_to(tmp_path: Path) -> None:
    assert guilty(tmp_path, api_search=50) == "search"
    assert guilty(tmp_path, search_index=50) == "index"


def test_a_service_that_delays_every_call_it_makes_is_charged_with_them(tmp_path: Path) -> None:
    assert guilty(tmp_path, api_search=50, api_users=55, api_orders=60) == "api"


def test_a_service_that_delays_its_callers_and_its_own_calls_is_charged_with_both(tmp_path: Path) -> None:
    assert guilty(tmp_path, api_search=30, search_index=60) == "search"


def test_a_few_slow_requests_are_less_sure_than_a_small_steady_growth(tmp_path: Path) -> None:
    base, candidate = DatasetBuilder(), DatasetBuilder()
    for number in range(60):
        base.request(Work("tools", 10 * MS, "steady", "a"), Work("tools", 10 * MS, "erratic", "b"))
        stall = 900 if number == 7 else 0
        candidate.request(Work("tools", 18 * MS, "steady", "a"), Work("tools", (10 + stall) * MS, "erratic", "b"))
    operations = growth(tmp_path, base, candidate)
    assert operations[0].name == "erratic"
    assert next(one.service_name for one in service_growth(operations)) == "a"


def test_calls_that_few_requests_suffer_are_charged_to_the_service_that_all_of_them_share(tmp_path: Path) -> None:
    calls = {("api", "orders"): 4, **{("orders", place): 3 for place in ("stock", "prices", "mail", "payment")}}
    delayed = {hop: ms + 380 for hop, ms in calls.items()}
    base, candidate = of_hops(calls, 1, requests=8), of_hops(calls, 2, requests=6)
    of_hops(delayed, 3, requests=2, builder=candidate)  # so few that no hop alone is sure to have grown
    assert service_growth(growth(tmp_path, base, candidate))[0].service_name == "orders"


def test_a_service_that_grows_as_the_others_do_is_less_sure_than_one_that_stands_out(tmp_path: Path) -> None:
    times = {"search": 200, "users": 20, "orders": 30, "stock": 10, "mail": 5}
    now = {service: ms * 1.4 for service, ms in times.items()} | {"mail": 60}
    builders = [DatasetBuilder(), DatasetBuilder()]
    for seed, (builder, usual) in enumerate(zip(builders, (times, now), strict=True)):
        random = np.random.default_rng(seed)
        for _ in range(70):
            stretched = {service: int(ms * MS * random.uniform(0.9, 1.1)) for service, ms in usual.items()}
            builder.request(*(Work("tools", ns, f"work of {service}", service) for service, ns in stretched.items()))
    found = service_growth(growth(tmp_path, *builders))
    assert max(found, key=lambda one: one.change_ns).service_name == "search"
    assert found[0].service_name == "mail"


def test_how_far_services_drift_is_the_standard_deviation_of_their_changes_and_no_faulty_one_moves_it() -> None:
    random = np.random.default_rng(4)
    before = random.uniform(1, 100, 2001)
    now = before * random.normal(1, 0.2, 2001)
    now[0] = 1000 * before[0]
    assert _drift(before, now) == pytest.approx(0.2, rel=0.05)
    assert _drift(before[:3], now[:3]) == pytest.approx(0)  # two others say nothing


def test_what_is_asked_more_often_has_not_grown(tmp_path: Path) -> None:
    base, candidate = DatasetBuilder(), DatasetBuilder()
    for number in range(40):
        base.request(Work("tools", 400 * MS, "report"), route="POST /report" if number < 4 else "POST /other")
        candidate.request(Work("tools", 400 * MS, "report"), route="POST /report" if number < 36 else "POST /other")
    report = next(one for one in growth(tmp_path, base, candidate) if one.name == "report")
    assert report.change_ns == pytest.approx(0)


def test_what_only_one_side_has_is_said_and_blames_no_service(tmp_path: Path) -> None:
    base, candidate = DatasetBuilder(), DatasetBuilder()
    for _ in range(10):
        base.request(Work("tools", 5 * MS, "old", "a"), Work("tools", 5 * MS, "kept", "b"))
        candidate.request(Work("safety", 50 * MS, "new", "c"), Work("tools", 5 * MS, "kept", "b"))
    operations = growth(tmp_path, base, candidate)
    found = {one.name: (one.only_in, round(one.change_ns)) for one in operations}
    assert found["new"] == ("candidate", 50 * MS)
    assert found["old"] == ("base", -5 * MS)
    assert {one.service_name for one in service_growth(operations)} == {"b"}


def test_the_standard_error_is_that_of_students_t_test(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    times = [random.integers(10 * MS, 30 * MS, n) for n in (17, 29)]
    builders = [DatasetBuilder(), DatasetBuilder()]
    for builder, values in zip(builders, times, strict=True):
        for value in values.tolist():
            builder.request(Work("tools", value, "work"))
    one = next(one for one in growth(tmp_path, *builders) if one.name == "work")
    student = stats.ttest_ind(times[1], times[0], equal_var=True)
    assert one.change_ns / one.error_ns == pytest.approx(student.statistic)


def test_what_ran_beside_the_path_and_now_takes_it_has_grown_and_is_not_new(tmp_path: Path) -> None:
    base, candidate = DatasetBuilder(), DatasetBuilder()
    for _ in range(40):
        base.request(Work("retrieval", 50 * MS, "search"))
        candidate.request(Work("retrieval", 50 * MS, "search"), Work("safety", 80 * MS, "check", "guard"))
    found = {}
    for name, builder in (("base", base), ("candidate", candidate)):
        connection = open_dataset(builder.write(tmp_path / f"{name}.duckdb"))
        table = load_requests(connection)
        found[name] = load_path(connection, table), table
    new = operation_growth(*found["base"], *found["candidate"])
    aside = operation_growth(*found["base"], *found["candidate"], off_path={("POST /chat", "guard", "check"): 40})
    assert next(one for one in new if one.name == "check").only_in == "candidate"
    assert next(one for one in aside if one.name == "check").only_in is None
    assert service_growth(aside)[0].service_name == "guard"
