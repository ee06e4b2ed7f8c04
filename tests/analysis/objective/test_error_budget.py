"""The error budget against counts by hand: what is spent, how fast it burns, and which stage spent it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.objective.error_budget import ErrorBudget, error_budget
from overbudget.analysis.requests.table import Filters, RequestTable
from overbudget.analysis.review.review import review
from overbudget.kernels.arrow import Coded
from overbudget.store.dataset import open_dataset
from tests.dataset_builder import FIRST_START_NS, MS, DatasetBuilder, S, Work
from tests.made_up_requests import evidence

HOUR = 3600 * S
DAY = 24 * HOUR
BUDGET = '[budget]\np95 = "1s"\n[objective]\nwithin = 0.9\nwindow = "28d"\n'


def table(latency_ms: np.ndarray, at_ns: np.ndarray, stage: int = 0, **columns: object) -> RequestTable:
    """Requests of which all but 10 ms in each other stage is in `stage`."""
    stage_ns = np.full((len(latency_ms), 4), 10 * MS, np.int64)
    stage_ns[:, stage] = (latency_ms * MS).astype(np.int64) - 30 * MS
    return replace(evidence(stage_ns).requests, start_ns=at_ns.astype(np.int64), **columns)


def budget_of(requests: RequestTable, text: str = BUDGET, whole: np.ndarray | None = None) -> ErrorBudget:
    everyone = np.ones(len(requests), bool) if whole is None else whole
    start = requests.start_ns
    found = error_budget(requests, everyone, parse_budget(text), int(start.min()), int(start.max()))
    assert found is not None
    return found


def hourly(hours: int, slow_every: int = 10, slow_ms: float = 2000) -> RequestTable:
    """A request every six minutes; each `slow_every`th is slow."""
    number = np.arange(hours * 10)
    return table(np.where(number % slow_every == 5, slow_ms, 200.0), number * HOUR // 10)


def test_an_objective_that_is_just_kept_spends_all_of_its_error_budget() -> None:
    found = budget_of(hourly(24 * 10))
    assert (found.requests, found.within) == (2400, 2160)
    assert found.spent == pytest.approx(1.0)
    assert found.window_ns == 28 * DAY
    assert found.covered_ns == 2399 * HOUR // 10


def test_half_as_many_slow_requests_spend_half_of_it() -> None:
    assert budget_of(hourly(24 * 10, slow_every=20)).spent == pytest.approx(0.5)


def test_a_request_at_the_cap_is_within_and_one_beyond_is_not() -> None:
    found = budget_of(table(np.array([1000.0, 1000.000001]), np.array([0, 1]) * S))
    assert (found.requests, found.within) == (2, 1)


def test_a_fast_request_that_failed_is_not_within() -> None:
    requests = hourly(24)
    failed = np.zeros(len(requests), bool)
    failed[:24] = True
    found = budget_of(replace(requests, failed=failed))
    assert found.within == 240 - 24 - 22  # 2 of the first 24 are slow as well
    assert found.failed == pytest.approx(24 / 46)
    assert [(one.stage, one.share) for one in found.stages] == [("retrieval", pytest.approx(22 / 46))]


def test_only_the_window_up_to_the_last_request_counts() -> None:
    hour = np.arange(100) * HOUR / 10
    latency = np.repeat([5000.0, 200.0], 100)
    found = budget_of(table(latency, np.concatenate([hour, 29 * DAY + hour])))
    assert (found.requests, found.within, found.spent) == (100, 100, 0.0)
    assert found.covered_ns == 28 * DAY
    assert found.stages == ()
    assert (found.failed, found.unexplained) == (0.0, 0.0)


def test_a_request_exactly_one_window_before_the_last_one_is_outside() -> None:
    found = budget_of(table(np.array([5000.0, 200.0]), np.array([0, 28 * DAY])))
    assert (found.requests, found.within) == (1, 1)
    assert budget_of(table(np.array([5000.0, 200.0]), np.array([1, 28 * DAY]))).requests == 2


def test_the_burn_rate_is_the_share_over_the_cap_over_the_share_allowed() -> None:
    number = np.arange(14 * 240)
    last_hour = number >= 14 * 240 - 10
    slow = np.where(last_hour, number % 2 == 0, number % 20 == 5)
    found = budget_of(table(np.where(slow, 2000.0, 200.0), number * HOUR // 10))
    hour, day, week = found.burn
    assert [one.window for one in found.burn] == ["1h", "1d", "7d"]
    assert (hour.requests, day.requests, week.requests) == (10, 240, 1680)
    assert hour.burn_rate == pytest.approx(5.0)
    assert day.burn_rate == pytest.approx((5 + np.count_nonzero(slow[-240:-10])) / 240 / 0.1)
    assert week.burn_rate == pytest.approx(np.count_nonzero(slow[-1680:]) / 1680 / 0.1)


def test_the_burn_rate_of_a_window_longer_than_the_objective_s_looks_beyond_it() -> None:
    number = np.arange(14 * 24)
    found = budget_of(table(np.where(number % 4 == 0, 2000.0, 200.0), number * HOUR), BUDGET.replace("28d", "1d"))
    assert found.requests == 24
    assert found.burn[2].requests == 168
    assert found.burn[2].burn_rate == pytest.approx(2.5)


def test_a_window_that_the_data_does_not_cover_is_unknown() -> None:
    found = budget_of(hourly(30))
    assert [one.burn_rate is None for one in found.burn] == [False, False, True]
    assert found.burn[2].requests == 300
    whole_week = budget_of(hourly(7 * 24))  # its first and last request are six minutes less than a week apart
    assert whole_week.burn[2].burn_rate is not None
    assert budget_of(hourly(7 * 24 - 1)).burn[2].burn_rate is None


def test_a_window_that_is_mostly_empty_is_unknown() -> None:
    weeks_ago = np.arange(100) * HOUR / 10
    today = 20 * DAY + np.arange(100) * HOUR / 10
    found = budget_of(table(np.full(200, 2000.0), np.concatenate([weeks_ago, today])))
    assert [one.burn_rate is None for one in found.burn] == [False, True, True]


def test_the_interval_holds_the_true_burn_rate_in_95_of_100_worlds() -> None:
    held = 0
    for seed in range(200):
        slow = np.random.default_rng(seed).random(3000) < 0.05
        one = budget_of(table(np.where(slow, 2000.0, 200.0), np.arange(3000) * 29 * S)).burn[1 if seed % 2 else 0]
        assert one.burn_rate is not None
        held += one.ci_low is not None and one.ci_high is not None and one.ci_low <= 0.5 <= one.ci_high
    assert held >= 184


def test_the_stage_that_exceeds_its_typical_time_most_spent_it() -> None:
    random = np.random.default_rng(3)
    stage_ns = np.stack([random.integers(50 * MS, 70 * MS, 1000) for _ in range(4)], 1)
    stage_ns[:, 1] += 500 * MS  # inference is always the largest, and never the reason
    stage_ns[100:160, 0] += 900 * MS
    stage_ns[500:520, 2] += 900 * MS
    requests = evidence(stage_ns).requests
    found = budget_of(requests)
    assert [(one.stage, one.share) for one in found.stages] == [("retrieval", 0.75), ("tools", 0.25)]
    assert found.failed + found.unexplained + sum(one.share for one in found.stages) == pytest.approx(1)


def test_where_typical_requests_are_over_the_cap_no_stage_spent_it() -> None:
    found = budget_of(table(np.full(200, 3000.0) + np.arange(200), np.arange(200) * S))
    assert (found.stages, found.failed, found.unexplained) == ((), 0.0, 1.0)


def test_a_request_that_lost_spans_spends_but_no_stage_is_named() -> None:
    requests = hourly(24)
    whole = np.ones(len(requests), bool)
    whole[np.flatnonzero(requests.latency_ns > S)[:6]] = False
    found = budget_of(requests, whole=whole)
    assert found.requests - found.within == 24
    assert found.unexplained == pytest.approx(0.25)


def test_each_route_is_held_to_its_own_cap_and_compared_with_its_own_requests() -> None:
    latency = np.tile([300.0, 900.0], 300)
    latency[[0, 1]] = 600.0, 1900.0
    requests = table(latency, np.arange(600) * S)
    route = Coded(np.tile(np.array([0, 1], np.int32), 300), ("fast", "slow"))
    text = '[routes.fast]\np95 = "500ms"\n[objective]\nwithin = 0.99\n'
    found = budget_of(replace(requests, route=route), text)
    assert (found.requests, found.within) == (300, 299)  # `slow` has no cap
    both = budget_of(replace(requests, route=route), text + '[budget]\np95 = "1s"\n')
    assert (both.requests, both.within) == (600, 598)


def test_a_request_without_an_end_counts_only_where_it_is_over_the_cap_already() -> None:
    requests = table(np.array([200.0, 2000.0, 200.0]), np.arange(3) * S, open=np.array([True, True, False]))
    found = budget_of(requests)
    assert (found.requests, found.within) == (2, 1)


def test_requests_that_stand_for_many_spend_as_many() -> None:
    requests = table(np.array([200.0, 2000.0]), np.arange(2) * S, weight=np.array([19.0, 1.0]))
    assert budget_of(requests).spent == pytest.approx(0.5)


def test_without_an_objective_or_a_cap_there_is_no_error_budget() -> None:
    requests = hourly(2)
    everyone = np.ones(len(requests), bool)
    for text in ('[budget]\np95 = "1s"\n', "[objective]\nwithin = 0.9\n", ""):
        assert error_budget(requests, everyone, parse_budget(text), 0, DAY) is None


def weeks(path: Path) -> Path:
    """Nine days, a request every ten minutes; in the last three retrieval is slow in every fifth."""
    builder = DatasetBuilder()
    for number in range(9 * 144):
        slow = number >= 6 * 144 and number % 5 == 2
        builder.request(
            Work("retrieval", (1800 if slow else 60 + number % 7) * MS),
            Work("inference", (400 + number % 11) * MS),
            rest_ns=5 * MS,
            start_ns=FIRST_START_NS + number * 600 * S,
            status="ERROR" if number in (3, 4) else "OK",
        )
    return builder.write(path)


def test_a_review_of_days_says_what_is_spent_and_by_what(tmp_path: Path) -> None:
    connection = open_dataset(weeks(tmp_path / "weeks.duckdb"))
    found = review(connection, parse_budget(BUDGET)).objective
    assert found is not None
    slow = sum(number % 5 == 2 for number in range(864, 1296))
    assert found.requests == 1296
    assert found.within == 1296 - 2 - slow
    assert found.burn[1].burn_rate == pytest.approx(2.0, rel=0.02)
    assert found.burn[1].ci_low is not None
    assert found.burn[1].ci_low > 1
    assert [one.stage for one in found.stages] == ["retrieval"]
    assert found.failed == pytest.approx(2 / (2 + slow))


def test_failures_that_are_left_out_of_percentiles_are_spent_all_the_same(tmp_path: Path) -> None:
    connection = open_dataset(weeks(tmp_path / "weeks.duckdb"))
    apart = BUDGET.replace("[budget]\n", '[budget]\nfailures = "apart"\n')
    assert review(connection, parse_budget(apart)).objective == review(connection, parse_budget(BUDGET)).objective


def test_a_filter_on_time_moves_the_end_of_the_windows(tmp_path: Path) -> None:
    connection = open_dataset(weeks(tmp_path / "weeks.duckdb"))
    end = FIRST_START_NS + 6 * DAY
    found = review(connection, parse_budget(BUDGET), Filters(end=end)).objective
    assert found is not None
    assert found.requests - found.within == 2
    assert found.burn[1].burn_rate == 0.0
    assert found.burn[1].requests == 144
