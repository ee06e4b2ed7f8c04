"""The tail at its edges: who counts as slow, what several thresholds cost, and whose growth it was."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from scipy.stats import hypergeom

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.requests.read import read_requests
from overbudget.analysis.tail.attributes import FROM, HOUR, THRESHOLDS, UNTIL
from overbudget.analysis.tail.tail import Tail, TooFew, cohorts, tail
from overbudget.analysis.tail.telling import FALSE_ALARMS, REQUEST, SlowAttribute
from overbudget.store.dataset import open_dataset
from tests.dataset_builder import FIRST_START_NS, MS, DatasetBuilder, S, Work


def told(tmp_path: Path, builder: DatasetBuilder, budget: str = "", **options: object) -> Tail:
    connection = open_dataset(builder.write(tmp_path / "d.duckdb"))
    return tail(connection, parse_budget(budget) if budget else None, **options)  # type: ignore[arg-type]


def test_a_request_at_the_cap_is_not_over_it(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for number in range(100):
        builder.request(Work("inference", (100 + number) * MS, "chat"))
    found = told(tmp_path, builder, '[budget]\np95 = "195ms"\n', over_budget=True)
    assert (found.slow, found.threshold_ns) == (4, 195 * MS)  # 196 to 199 ms


def test_a_request_at_the_percentile_is_slow(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for number in range(101):
        builder.request(Work("inference", (100 + number) * MS, "chat"))
    assert told(tmp_path, builder).slow == 6  # p95 of 101 is the 96th


@pytest.mark.parametrize(("slow", "enough"), [(3, True), (2, False)])
def test_three_slow_requests_are_enough_and_two_are_not(tmp_path: Path, slow: int, enough: bool) -> None:
    builder = DatasetBuilder()
    for number in range(60):
        builder.request(Work("inference", (900 if number < slow else 100 + number) * MS, "chat"))
    budget = '[budget]\np95 = "500ms"\n'
    if enough:
        assert told(tmp_path, builder, budget, over_budget=True).slow == slow
    else:
        with pytest.raises(TooFew, match=f"{slow} slow requests"):
            told(tmp_path, builder, budget, over_budget=True)


@pytest.mark.parametrize("more", [0, 1])
def test_a_number_pays_for_every_threshold_that_was_tried(
    tmp_path: Path, more: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of so many slow requests just so many exceed the median: told or not only by the factor of three."""
    monkeypatch.setattr("overbudget.analysis.tail.attributes.INSTANTS", 1)  # none: the number is all that is tested
    slow, typical = 20, 60
    builder = DatasetBuilder()

    def chance(hits: int) -> float:
        return float(hypergeom.sf(hits - 1, slow + typical, typical // 2 + hits, slow))

    least = next(k for k in range(slow + 1) if len(THRESHOLDS) * chance(k) <= FALSE_ALARMS)
    hits = least - 1 + more
    assert chance(hits) <= FALSE_ALARMS
    assert (len(THRESHOLDS) * chance(hits) <= FALSE_ALARMS) is bool(more)
    for number in range(300):
        if number < slow:  # above the median of the typical ones by two, and below their upper quartile
            took, rows = 900 + number, 131 if number < hits else 2 + number
        elif number < slow + typical:  # as many below as above the median, which is between 129 and 130
            place = number - slow
            took, rows = 300, 100 + place
        else:
            took, rows = 100 if number < slow + typical + 120 else 600, 1000 + number
        builder.request(Work("inference", took * MS, "chat", attributes={"rows": str(rows)}))
    found = told(tmp_path, builder, '[budget]\np95 = "899ms"\n', over_budget=True)
    assert (found.slow, found.typical) == (slow, typical)
    assert [one.key for one in found.attributes] == (["rows"] if more else [])


def test_what_shrank_has_no_share_of_the_excess(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for number in range(100):
        slow = number % 10 == 0
        builder.request(
            Work("retrieval", (500 if slow else 50) * MS, "search"),
            Work("inference", (20 if slow else 100) * MS, "chat"),
            rest_ns=number * 1000,
        )
    found = told(tmp_path, builder)
    shares = {one.name: one.share_of_excess for one in found.operations}
    assert shares["chat"] == 0
    assert shares["search"] == pytest.approx(1, abs=1e-3)
    assert sum(shares.values()) == pytest.approx(1, abs=1e-3)


def at(second: int) -> str:
    return datetime.fromtimestamp(FIRST_START_NS // S + second, UTC).isoformat()


@pytest.mark.parametrize(
    ("on", "key", "value", "having_it"),
    [
        (REQUEST, "route", "GET /b", [1, 3]),
        (REQUEST, "model", "large", [2]),
        (REQUEST, "status", "ERROR", [3]),
        (REQUEST, HOUR, f"{(FIRST_START_NS // S // 3600 + 1) % 24:02d}:00", [4]),
        (REQUEST, FROM, at(2), [2, 3, 4]),
        (REQUEST, UNTIL, at(2), [0, 1]),
        (REQUEST, "requests in flight", "> 2", [3, 4]),
        (REQUEST, "requests in flight", "2", [2]),
        ("chat", "tenant", "acme", [0, 3]),
        ("chat", "rows", "> 1,000.5", [3]),
        ("chat", "rows", "1000.5", [2]),
        ("embed", "tenant", "acme", []),
    ],
)
def test_who_has_an_attribute_is_a_cohort_and_the_others_are_the_other(
    tmp_path: Path, on: str, key: str, value: str, having_it: list[int]
) -> None:
    builder = DatasetBuilder()
    for number in range(5):
        said = {"tenant": "acme" if number in (0, 3) else "other", "rows": ("5", "", "1000.5", "1001", "no")[number]}
        builder.request(
            Work("inference", 10 * MS, "chat", attributes=said),
            Work("retrieval", 10 * MS, "embed"),
            route="GET /b" if number in (1, 3) else "GET /a",
            start_ns=FIRST_START_NS + (number if number < 4 else 3600) * S,
            status="ERROR" if number == 3 else "OK",
            model="large" if number == 2 else "small",
            in_flight=number,
        )
    connection = open_dataset(builder.write(tmp_path / "d.duckdb"))
    attribute = SlowAttribute(key, value, on, 1.0, 0.0, None, 0.0, 5, ())
    with_it, others = cohorts(connection, read_requests(connection), attribute)
    assert with_it.tolist() == having_it
    assert sorted([*with_it, *others]) == list(range(5))


@pytest.mark.parametrize(("length", "keys"), [(120, ["note"]), (121, [])])
def test_a_longer_value_is_a_text_and_tells_nothing(tmp_path: Path, length: int, keys: list[str]) -> None:
    builder = DatasetBuilder()
    for number in range(100):
        slow = number % 10 == 0
        note = ("x" if slow else "y") * length
        builder.request(Work("inference", (900 if slow else 100 + number) * MS, "chat", attributes={"note": note}))
    assert [one.key for one in told(tmp_path, builder).attributes] == keys
