"""Who makes requests slower: operations like with like, and hops charged to the service that delays them."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from overbudget.analysis.causes.spending import read_spending
from overbudget.analysis.compare.growth import Growth, growths
from overbudget.analysis.compare.services import _drift, charges, rank
from overbudget.analysis.requests.read import load_requests
from overbudget.store.dataset import open_dataset
from tests.dataset_builder import MS, DatasetBuilder, Work


def growth(tmp_path: Path, base: DatasetBuilder, candidate: DatasetBuilder) -> list[Growth]:
    found = []
    for name, builder in (("base", base), ("candidate", candidate)):
        connection = open_dataset(builder.write(tmp_path / f"{name}.duckdb"))
        table = load_requests(connection)
        found.append((read_spending(connection, table), table))
    return growths(found[0], found[1])


def ranked(grown: list[Growth], base_mean_ns: dict[str, float] | None = None) -> list[str]:
    """Services, the first to suspect first."""
    found = rank(grown, charges(grown), base_mean_ns or {}, MS, 100)
    return sorted(found, key=lambda name: -found[name].rank_ns)


def of_name(grown: list[Growth], name: str) -> Growth:
    return next(one for one in grown if one.cause[1] == name)


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
    return ranked(growth(tmp_path, of_hops(CALLS, 1), of_hops(delayed, 2)))[0]


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
    grown = growth(tmp_path, base, candidate)
    assert max(grown, key=lambda one: one.change_ns).cause[1] == "erratic"
    assert ranked(grown)[0] == "a"


def test_calls_that_few_requests_suffer_are_charged_to_the_service_that_all_of_them_share(tmp_path: Path) -> None:
    calls = {("api", "orders"): 4, **{("orders", place): 3 for place in ("stock", "prices", "mail", "payment")}}
    delayed = {hop: ms + 380 for hop, ms in calls.items()}
    base, candidate = of_hops(calls, 1, requests=8), of_hops(calls, 2, requests=6)
    of_hops(delayed, 3, requests=2, builder=candidate)  # so few that no hop alone is sure to have grown
    assert ranked(growth(tmp_path, base, candidate))[0] == "orders"


def test_a_service_that_grows_as_the_others_do_is_less_sure_than_one_that_stands_out(tmp_path: Path) -> None:
    times = {"search": 200, "users": 20, "orders": 30, "stock": 10, "mail": 5}
    now = {service: ms * 1.4 for service, ms in times.items()} | {"mail": 60}
    builders = [DatasetBuilder(), DatasetBuilder()]
    for seed, (builder, usual) in enumerate(zip(builders, (times, now), strict=True)):
        random = np.random.default_rng(seed)
        for _ in range(70):
            stretched = {service: int(ms * MS * random.uniform(0.9, 1.1)) for service, ms in usual.items()}
            builder.request(*(Work("tools", ns, f"work of {service}", service) for service, ns in stretched.items()))
    grown = growth(tmp_path, *builders)
    assert max(grown, key=lambda one: one.change_ns).cause[0] == "search"
    assert ranked(grown, {service: ms * MS for service, ms in times.items()})[0] == "mail"


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
    assert of_name(growth(tmp_path, base, candidate), "report").change_ns == pytest.approx(0)


def test_a_new_step_and_one_that_is_gone_are_growth_of_how_often(tmp_path: Path) -> None:
    base, candidate = DatasetBuilder(), DatasetBuilder()
    for _ in range(30):
        base.request(Work("tools", 5 * MS, "old", "a"), Work("tools", 5 * MS, "kept", "b"))
        candidate.request(Work("safety", 50 * MS, "new", "c"), Work("tools", 5 * MS, "kept", "b"))
    grown = growth(tmp_path, base, candidate)
    assert {one.cause[1]: (round(one.slow_ns), round(one.often_ns)) for one in grown if one.change_ns} == {
        "new": (0, 50 * MS),
        "old": (0, -5 * MS),
    }
    assert ranked(grown)[0] == "c"


def test_occurring_more_often_counts_only_beyond_two_errors() -> None:
    def of(often: float, error: float) -> float:
        return Growth(("a", "x", None), 10.0, often, 0.0, error, 1.0, 1.0).ranked_ns

    assert of(50.0, 20.0) == 20.0
    assert of(40.0, 20.0) == 10.0
    assert of(-50.0, 20.0) == 0.0


def test_what_shrank_hides_no_growth_of_the_same_service(tmp_path: Path) -> None:
    base, candidate = DatasetBuilder(), DatasetBuilder()
    for _ in range(30):
        base.request(Work("tools", 90 * MS, "old way", "a"), Work("tools", 40 * MS, "steady", "b"))
        candidate.request(Work("tools", 80 * MS, "new way", "a"), Work("tools", 60 * MS, "steady", "b"))
    assert ranked(growth(tmp_path, base, candidate)) == ["a", "b"]


def test_where_caller_and_callee_explain_as_much_it_is_the_one_that_is_called() -> None:
    for callee in ("alpha", "zeta"):
        hop = Growth(("middle", "call", callee), 30 * MS, 0.0, MS, 0.0, 1.0, 1.0)
        assert charges([hop]) == {("middle", callee): {callee: 1.0}}


def test_growth_is_certain_only_beyond_chance_drift_and_what_matters() -> None:
    def certain(change: float, error: float, share: float = 1.0, tau: float = 1.0, least: float = 5 * MS) -> int | None:
        one = Growth(("a", "x", None), change, 0.0, error, 0.0, share, tau)
        return rank([one], {}, {"a": 100.0 * MS}, least, 100)["a"].certain_ns

    student = float(stats.t.ppf(1 - 0.02, 19))
    assert certain(10 * MS, 2 * MS) == pytest.approx(10 * MS - student * 2 * MS, abs=1)
    assert certain(10 * MS, 10 * MS / student) is None
    assert certain(10 * MS, 2 * MS, tau=9.0) is None
    assert certain(4.9 * MS, 0.1 * MS) is None
    assert certain(4.9 * MS, 0.1 * MS, share=0.5) is not None
    assert certain(5 * MS, 0.1 * MS) is not None


def of_runs(*runs: np.ndarray | None, tau: float = 4.0, service: str = "a") -> Growth:
    """A growth of 30 ms, certain where the requests are known to be alike enough."""
    return Growth((service, "x", None), 30 * MS, 0.0, MS, 0.0, 1.0, tau, (runs[0], runs[1]))


CALM = np.tile([100.0 * MS, 120.0 * MS], 10)  # every run differs from the one before
FEW_SPELLS = np.repeat([100.0 * MS, 120.0 * MS, 90.0 * MS, 130.0 * MS], 5)  # four conditions in the whole window


@pytest.mark.parametrize(
    ("base", "candidate", "tau", "requests", "certain"),
    [
        (CALM, CALM, 4.0, 500, True),
        (CALM, FEW_SPELLS, 4.0, 500, False),
        (FEW_SPELLS, CALM, 4.0, 500, False),
        (FEW_SPELLS, FEW_SPELLS, 1.0, 500, True),  # they vary no more than by chance
        (CALM, CALM, 4.0, 160, True),  # worth 40
        (CALM, CALM, 4.0, 159, False),
        (None, None, 4.0, 160, True),
        (FEW_SPELLS, FEW_SPELLS + 40 * MS, 4.0, 500, False),  # the best time now is as bad as the worst before
        (FEW_SPELLS, FEW_SPELLS + 41 * MS, 4.0, 500, True),  # it is worse
    ],
)
def test_growth_is_certain_only_where_a_window_has_changes_of_conditions(
    base: np.ndarray | None, candidate: np.ndarray | None, tau: float, requests: int, certain: bool
) -> None:
    grown = [of_runs(base, candidate, tau=tau)]
    found = rank(grown, {}, {"a": 100.0 * MS}, MS, requests)["a"]
    assert (found.certain_ns is not None) == certain


def test_a_service_has_the_conditions_of_all_its_operations_together() -> None:
    opposite = 200 * MS - FEW_SPELLS  # what one takes less in a spell, the other takes more
    noise = CALM / 100
    alone, other = of_runs(FEW_SPELLS, FEW_SPELLS), of_runs(opposite + noise, opposite + noise)
    found = rank([alone, other], {}, {"a": 200.0 * MS}, MS, 500)["a"]
    assert found.certain_ns is not None
    assert rank([alone], {}, {"a": 100.0 * MS}, MS, 500)["a"].certain_ns is None


def test_the_mean_of_each_run_is_in_order_of_arrival(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for number in range(41):
        builder.request(Work("tools", number * MS, "work"), rest_ns=MS)
    base, candidate = of_name(growth(tmp_path, builder, builder), "work").runs
    assert base is not None
    assert candidate is not None
    assert base.tolist() == candidate.tolist() == [*(2 * MS * run + MS / 2 for run in range(19)), 39 * MS]
    few = DatasetBuilder()
    few.request(Work("tools", MS, "work"))
    assert of_name(growth(tmp_path, few, builder), "work").runs[0] is None


def test_time_that_comes_in_bursts_is_told_by_tau(tmp_path: Path) -> None:
    steady, bursty = DatasetBuilder(), DatasetBuilder()
    random = np.random.default_rng(3)
    for number in range(400):
        time = int(random.uniform(50, 150) * MS)
        steady.request(Work("tools", time, "work"))
        bursty.request(Work("tools", time + (200 * MS if number % 100 < 30 else 0), "work"))
    assert of_name(growth(tmp_path, steady, steady), "work").tau == 1.0
    assert of_name(growth(tmp_path, steady, bursty), "work").tau > 5


def test_the_standard_error_is_that_of_students_t_test(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    times = [random.integers(10 * MS, 30 * MS, n) for n in (17, 29)]
    builders = [DatasetBuilder(), DatasetBuilder()]
    for builder, values in zip(builders, times, strict=True):
        for value in values.tolist():
            builder.request(Work("tools", value, "work"))
    one = of_name(growth(tmp_path, *builders), "work")
    student = stats.ttest_ind(times[1], times[0], equal_var=True)
    assert one.slow_ns / one.slow_error_ns == pytest.approx(student.statistic)


def test_what_is_measured_once_on_each_side_may_have_grown_by_chance(tmp_path: Path) -> None:
    base, candidate = DatasetBuilder(), DatasetBuilder()
    base.request(Work("tools", 10 * MS, "work"))
    candidate.request(Work("tools", 90 * MS, "work"))
    one = of_name(growth(tmp_path, base, candidate), "work")
    assert one.slow_ns == one.slow_error_ns == 80 * MS
