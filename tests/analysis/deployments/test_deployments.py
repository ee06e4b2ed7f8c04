"""Deployments: versions that appear, and whether a percentile certainly changed with them."""

from dataclasses import replace

import numpy as np
import pytest

from overbudget.analysis.common.durations import HOUR
from overbudget.analysis.deployments.deployments import MOST_DEPLOYMENTS, Deployment, deployments
from overbudget.analysis.requests.table import RequestTable, iso
from overbudget.app.text.deployments import deployment_sentences
from overbudget.kernels.arrow import Coded
from tests.dataset_builder import MS, S
from tests.made_up_requests import evidence, of, times


def table(latency_ms: np.ndarray, version: np.ndarray, names: tuple[str, ...], **columns: object) -> RequestTable:
    """A request each second; `version` (int[n]) is the place in `names`, -1 for none."""
    stage_ns = np.zeros((len(latency_ms), 4), np.int64)
    stage_ns[:, 0] = latency_ms * MS
    found = evidence(stage_ns).requests
    one = Coded(np.zeros(len(found), np.int32), ("gateway",))
    return replace(found, service=one, version=Coded(version.astype(np.int32), names), **columns)


def world(seed: int, factor: float = 1.0, n: int = 1000, rolling: bool = False) -> RequestTable:
    """Two versions of a service, the second `factor` times as slow; with `rolling` both run in the middle third."""
    random = np.random.default_rng(seed)
    version = (np.arange(n) >= n // 2).astype(int)
    if rolling:
        version = (random.random(n) < np.clip(3 * np.arange(n) / n - 1, 0, 1)).astype(int)
    return table(random.gamma(8, 50, n) * np.where(version == 1, factor, 1), version, ("1.4", "1.5"))


@pytest.mark.parametrize("rolling", [False, True])
def test_versions_that_are_alike_are_never_said_to_differ(rolling: bool) -> None:
    said = sum(bool(deployment_sentences(deployments(world(seed, rolling=rolling)))) for seed in range(100))
    assert said == 0  # two in a thousand are allowed


@pytest.mark.parametrize("rolling", [False, True])
def test_a_version_that_is_a_third_slower_is_said_at_both_percentiles(rolling: bool) -> None:
    said = [deployments(world(seed, 1.33, rolling=rolling)) for seed in range(50)]
    assert sum(rows[0].verdict == "slower" for rows in said) >= 48
    assert sum(rows[1].verdict == "slower" for rows in said) >= 40
    assert not any(row.verdict == "faster" for rows in said for row in rows)


def test_a_faster_version_is_said_to_be_faster() -> None:
    first, _ = deployments(world(1, 0.7))
    assert first.verdict == "faster"
    assert first.change_ns is not None
    assert first.change_ns < 0


def test_the_figures_are_those_of_each_versions_requests() -> None:
    requests = world(3, 1.5)
    rows = deployments(requests)
    assert [row.percentile for row in rows] == [50, 95]
    for row in rows:
        before, after = requests.latency_ns[:500], requests.latency_ns[500:]
        assert row.before_ns == pytest.approx(np.quantile(before, row.percentile / 100), abs=1)
        assert row.after_ns == pytest.approx(np.quantile(after, row.percentile / 100), abs=1)
        assert (row.previous, row.version, row.service_name) == ("1.4", "1.5", "gateway")
        assert (row.previous_requests, row.requests) == (500, 500)
        assert row.start == iso(int(requests.start_ns[500]))
        assert row.previous_end == iso(int(requests.start_ns[499]))


def test_a_rolling_deployment_begins_with_its_first_request_while_the_version_before_runs_on() -> None:
    requests = world(5, 1.5, rolling=True)
    (row, _) = deployments(requests)
    first = int(np.flatnonzero(requests.version.codes == 1)[0])
    last = int(np.flatnonzero(requests.version.codes == 0)[-1])
    assert (row.start, row.previous_end) == (iso(first * S), iso(last * S))
    assert first < last
    assert row.handover == "rolling"
    assert "with `1.4` it was" in deployment_sentences([row])[0]
    assert "(for a while both ran): slower by" in deployment_sentences([row])[0]


@pytest.mark.parametrize("stays", [(300, 300, 300), (300, 300, 3), (300, 40, 300, 300), (300, 100, 100, 100, 100)])
def test_after_a_rollback_the_version_before_came_back_and_the_two_never_ran_together(stays: tuple[int, ...]) -> None:
    version = np.repeat(np.arange(len(stays)) % 2, stays)
    latency = np.random.default_rng(4).gamma(8, 50, len(version)) * np.where(version == 1, 2, 1)
    (row, _) = deployments(table(latency, version, ("1.4", "1.5")))
    assert row.handover == "returned"
    assert row.previous_end > row.start
    assert row.verdict == "slower"
    (said,) = deployment_sentences([row])
    assert "both ran" not in said
    assert "(`1.4` came back later): slower by" in said


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.98])
def test_a_canary_runs_beside_the_version_before(share: float) -> None:
    version = np.where(np.arange(1500) < 500, 0, np.random.default_rng(7).random(1500) < share)
    assert deployments(table(np.full(1500, 50.0), version, ("1.4", "1.5")))[0].handover == "rolling"


def test_a_version_that_follows_the_one_before_for_good_is_said_without_a_remark() -> None:
    (row, _) = deployments(world(3, 1.5))
    assert row.handover == "clean"
    assert "it was" in deployment_sentences([row])[0]
    assert "(for" not in deployment_sentences([row])[0]
    assert "came back" not in deployment_sentences([row])[0]


def test_each_pair_of_versions_is_handed_over_in_its_own_way() -> None:
    version = np.concatenate([np.repeat([0, 1], 100), np.tile([1, 2], 100), np.repeat([3, 2], 100)])
    rows = deployments(table(np.full(len(version), 50.0), version, ("1.4", "1.5", "1.6", "1.7")))
    assert [(row.previous, row.version, row.handover) for row in rows[::2]] == [
        ("1.4", "1.5", "clean"),
        ("1.5", "1.6", "rolling"),
        ("1.6", "1.7", "returned"),
    ]


@pytest.mark.parametrize(("n", "known"), [(78, False), (80, True)])
def test_with_fewer_than_forty_requests_on_a_side_nothing_is_said(n: int, known: bool) -> None:
    latency = np.where(np.arange(n) < n // 2, 100.0, 900.0) + np.arange(n) % 7
    (median, _) = deployments(table(latency, np.arange(n) // (n // 2), ("a", "b")))
    assert (median.verdict == "slower") == known
    assert median.before_ns is not None


def test_one_version_or_none_is_no_deployment() -> None:
    assert deployments(table(np.full(100, 50.0), np.zeros(100), ("1.4",))) == ()
    assert deployments(table(np.full(100, 50.0), np.full(100, -1), ())) == ()
    assert deployments(table(np.zeros(0), np.zeros(0), ())) == ()


def test_requests_without_a_version_count_for_none() -> None:
    version = np.tile([0, -1], 100)
    version[100:] = np.where(version[100:] == 0, 1, -1)
    (row, _) = deployments(table(np.full(200, 50.0), version, ("a", "b")))
    assert (row.previous_requests, row.requests) == (50, 50)


def test_versions_follow_each_other_in_order_of_their_first_requests_not_of_their_names() -> None:
    version = np.repeat([2, 0, 1], 50)
    rows = deployments(table(np.full(150, 50.0), version, ("a", "b", "c")))
    assert [(row.previous, row.version) for row in rows[::2]] == [("c", "a"), ("a", "b")]


def test_each_service_has_its_own_versions() -> None:
    requests = table(np.full(200, 50.0), np.repeat([0, 1], 100), ("a", "b"))
    service = Coded(np.repeat(np.array([0, 1], np.int32), 100), ("x", "y"))
    assert deployments(replace(requests, service=service)) == ()


def test_another_mix_of_routes_is_no_change() -> None:
    random = np.random.default_rng(2)
    version = np.repeat([0, 1], 1000)
    slow = random.random(2000) < np.where(version == 1, 0.8, 0.2)
    latency = random.gamma(20, 10, 2000) * np.where(slow, 10, 1)
    route = Coded(slow.astype(np.int32), ("fast", "slow"))
    apart = deployments(replace(table(latency, version, ("a", "b")), route=route))
    assert all(row.verdict != "slower" for row in apart)
    assert deployments(table(latency, version, ("a", "b")))[0].verdict == "slower"


def test_routes_that_only_one_version_has_are_left_out() -> None:
    version = np.repeat([0, 1], 100)
    route = Coded(np.where(np.arange(200) % 2, 0, 1 + version).astype(np.int32), ("both", "old", "new"))
    row = deployments(replace(table(np.full(200, 50.0), version, ("a", "b")), route=route))[0]
    assert (row.previous_requests, row.requests) == (50, 50)
    apart = replace(
        table(np.full(200, 50.0), version, ("a", "b")), route=Coded(version.astype(np.int32), ("old", "new"))
    )
    assert [row.verdict for row in deployments(apart)] == ["unknown", "unknown"]


def test_a_version_that_fails_early_is_not_called_faster() -> None:
    requests = world(1, 0.7)
    failed = (requests.version.codes == 1) & (np.arange(1000) % 2 == 0)
    assert all(row.verdict == "unknown" for row in deployments(replace(requests, failed=failed)))


def test_drifting_conditions_are_not_taken_for_a_deployment() -> None:
    """Latency that doubles steadily, a deployment in the middle of it: nothing tells the one from the other."""
    random = np.random.default_rng(9)
    latency = random.gamma(8, 50, 2000) * np.linspace(1, 2, 2000)
    rows = deployments(table(latency, np.repeat([0, 1], 1000), ("a", "b")))
    assert all(row.verdict == "unknown" for row in rows)


def test_of_many_versions_the_last_are_compared() -> None:
    n = MOST_DEPLOYMENTS + 5
    rows = deployments(table(np.full(n, 50.0), np.arange(n), tuple(map(str, range(n)))))
    assert [row.version for row in rows[::2]] == [str(number) for number in range(5, n)]


def test_a_review_tells_what_changed_with_a_version() -> None:
    row = Deployment(
        "gateway",
        "1.5",
        "1.4",
        iso(2 * HOUR),
        iso(HOUR),
        "clean",
        500,
        500,
        95,
        S,
        2 * S,
        S,
        S // 2,
        3 * S // 2,
        "slower",
    )
    assert deployment_sentences([row, replace(row, verdict="unknown"), replace(row, verdict="same")]) == [
        "With version `1.5` of `gateway`, first seen 1970-01-01 02:00 UTC, p95 is 2.00 s; with `1.4` it was 1.00 s: "
        "slower by 1.00 s (+500 ms to +1.50 s)."
    ]
    assert of(times()).as_dict()["deployments"] == []
