"""What holds of every analysis, whatever the dataset: one matrix of datasets (tests/matrix.py) runs through all of them."""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import pytest

import overbudget
from overbudget.analysis.review.over import over
from tests.matrix import MATRIX, Case, budget_of
from tests.span_dump import dataset

SHARES = {
    "share", "blame", "slow_share", "typical_share", "share_of_excess", "share_of_change", "within_budget", "good", "q_value"
}  # fmt: skip
COUNTS = {"n", "requests", "incomplete", "spans", "traces", "slow", "typical", "count", "band_requests", "percentile"}


@dataclass(frozen=True, eq=False)
class Opened:
    """A dataset of the matrix, opened, with what is asked of it."""

    case: Case
    data: overbudget.Dataset
    budget: str | None

    @property
    def asked(self) -> dict[str, Any]:
        return {"budget": self.budget, "only": list(self.case.only)}


@pytest.fixture(scope="module")
def open_case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Opened]]:
    """Opens a case; each is made once. `mixed`: the same spans in another order."""
    folder, made = tmp_path_factory.mktemp("matrix"), list[Opened]()

    @cache
    def opened(case: Case, mixed: bool = False) -> Opened:
        path = folder / f"{case}-{mixed}.duckdb"
        dataset(path, case.traces(), case.apart_ms, random.Random(5) if mixed else None).close()
        data = overbudget.open(path)
        latencies = [row[0] for row in data.connection.execute("SELECT latency_ns FROM requests").fetchall()]
        made.append(Opened(case, data, budget_of(case, latencies)))
        return made[-1]

    yield opened
    for one in made:
        one.data.close()


def _what_if(opened: Opened, **changes: Any) -> Any:
    return opened.data.what_if(**changes, **opened.asked)


def _slowest_operation(opened: Opened) -> str:
    sql = "SELECT name FROM operations ORDER BY span_count DESC, name LIMIT 1"
    return str(opened.data.connection.execute(sql).fetchall()[0][0])


def _first_trace(opened: Opened) -> str:
    return str(opened.data.connection.execute("SELECT min(trace_id) FROM spans").fetchall()[0][0])


ANALYSES: Mapping[str, Callable[[Opened], Any]] = {
    "review": lambda o: o.data.review(**o.asked),
    "review_of_all": lambda o: o.data.review(**o.asked, include_incomplete=True),
    "tail": lambda o: o.data.tail(**o.asked),
    "tail_at_the_median": lambda o: o.data.tail(50, **o.asked),
    "tail_over_budget": lambda o: o.data.tail(over_budget=True, **o.asked),
    "what_if_nothing": _what_if,
    "what_if_half": lambda o: _what_if(o, scale={_slowest_operation(o): 0.5}),
    "what_if_capped": lambda o: _what_if(o, cap={_slowest_operation(o): "10ms"}),
    "what_if_no_retries": lambda o: _what_if(o, drop_retries=True),
    "advise": lambda o: o.data.advise(**o.asked),
    "load": lambda o: o.data.load(**o.asked),
    "consistency": lambda o: o.data.consistency(**o.asked),
    "audit": lambda o: o.data.audit(),
    "compare_with_itself": lambda o: o.data.compare(
        o.data, o.budget, only=list(o.case.only), candidate_only=list(o.case.only)
    ),
    "trace": lambda o: o.data.trace(_first_trace(o)),
}

every_case = pytest.mark.parametrize("case", MATRIX, ids=str)
every_analysis = pytest.mark.parametrize("name", ANALYSES)


@cache
def ask(name: str, opened: Opened) -> Any:
    """The answer, asked once; None where the analysis says in a sentence that it has none."""
    try:
        return ANALYSES[name](opened)
    except overbudget.OverbudgetError as error:
        said = str(error)
        assert said.endswith((".", "?", ")")), said
        assert said[0].isupper(), said
        assert len(said.split()) >= 4, said
        assert "Traceback" not in said
        assert "None" not in said.split(), said
        return None


def objects(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every dict in an answer, with where it is."""
    if isinstance(value, dict):
        yield path, value
        for key, entry in value.items():
            yield from objects(entry, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for place, entry in enumerate(value):
            yield from objects(entry, f"{path}[{place}]")


@every_analysis
@every_case
def test_an_answer_is_json_with_integers_as_integers(name: str, case: Case, open_case: Callable[..., Opened]) -> None:
    found = ask(name, open_case(case))
    if found is None:
        return
    said = found.as_dict()
    assert json.loads(json.dumps(said, allow_nan=False)) == json.loads(json.dumps(said))
    for path, one in objects(said):
        if path.endswith((".budget", ".server")) or ".budget." in path:
            continue  # a budget is shown as it was read
        for key, value in one.items():
            if key.endswith("_ns") or key in COUNTS:
                assert value is None or type(value) is int or isinstance(value, list | dict), f"{path}.{key}: {value!r}"


@every_analysis
@every_case
def test_an_answer_can_be_read_as_text_and_in_a_notebook(
    name: str, case: Case, open_case: Callable[..., Opened]
) -> None:
    found = ask(name, open_case(case))
    if found is None:
        return
    assert str(found).strip()
    for wrong in ("None", "nan", "NaN", "inf", "numpy", "float64"):
        assert wrong not in str(found).replace(",", " ").replace(".", " ").split(), str(found)
    assert found._repr_html_().startswith("<div>")


@every_analysis
@every_case
def test_shares_are_between_nothing_and_all(name: str, case: Case, open_case: Callable[..., Opened]) -> None:
    found = ask(name, open_case(case))
    for path, one in objects(found.as_dict() if found else {}):
        for key in SHARES & one.keys():
            value = one[key]
            if isinstance(value, int | float) and not isinstance(value, bool) and not path.endswith(".good"):
                assert 0 <= value <= 1 + 1e-9, f"{path}.{key}: {value}"
        for low, high in (("ci_low", "ci_high"), ("ci_low_ns", "ci_high_ns")):
            if one.get(low) is not None and one.get(high) is not None:
                assert one[low] <= one[high], f"{path}: {one}"


@pytest.mark.parametrize("name", ["review", "review_of_all", "load", "consistency"])
@every_case
def test_no_verdict_without_a_cap(name: str, case: Case, open_case: Callable[..., Opened]) -> None:
    found = ask(name, open_case(case))
    for path, one in objects(found.as_dict() if found else {}):
        if "verdict" in one and "budget_ns" in one:
            assert (one["verdict"] is None) == (one["budget_ns"] is None), f"{path}: {one}"
        for key in ("within_budget", "windows_over_budget"):
            if key in one and one.get("budget_ns", 0) is None:
                assert one[key] is None, f"{path}: {one}"


@pytest.mark.parametrize("name", ["review", "review_of_all", "what_if_nothing", "what_if_half", "compare_with_itself"])
@every_case
def test_a_higher_percentile_is_never_less(name: str, case: Case, open_case: Callable[..., Opened]) -> None:
    found = ask(name, open_case(case))
    if found is None:
        return
    said = found.as_dict()
    rows: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for path, one in objects(said):
        for key in ("latency_ns", "before_ns", "after_ns", "base_ns", "candidate_ns"):
            if "percentile" in one and isinstance(one.get(key), int) and "breakdown" not in path:
                row = (path.rsplit("[", 1)[0] + one.get("stage", ""), key)
                rows.setdefault(row, []).append((one["percentile"], one[key]))
    for row, pairs in rows.items():
        values = [value for _, value in sorted(pairs)]
        assert values == sorted(values), f"{row}: {pairs}"
    for path, one in objects(said):
        if one.get("latency_ns") is not None:
            low, high = one.get("ci_low_ns"), one.get("ci_high_ns")
            assert low is None or low <= one["latency_ns"], f"{path}: {one}"
            assert high is None or high >= one["latency_ns"], f"{path}: {one}"


@every_case
def test_what_a_request_is_made_of_sums_to_it(case: Case, open_case: Callable[..., Opened]) -> None:
    opened = open_case(case)
    said = ask("review", opened)
    for made_of in said.as_dict()["breakdown"] if said else ():
        if made_of["stages"]:
            sum_ns = sum(stage["mean_ns"] for stage in made_of["stages"])
            assert abs(sum_ns - made_of["band_latency_ns"]) <= len(made_of["stages"])
            assert sum(stage["share"] for stage in made_of["stages"]) == pytest.approx(1, abs=1e-6)
            assert sum(stage["blame"] for stage in made_of["stages"]) == pytest.approx(1, abs=1e-6) or not any(
                stage["blame"] for stage in made_of["stages"]
            )
    for request in ask("trace", opened).as_dict()["requests"]:
        path = request["critical_path"]
        assert sum(segment["end_ns"] - segment["start_ns"] for segment in path) == request["duration_ns"]
        assert all(before["end_ns"] == after["start_ns"] for before, after in pairwise(path))
    unequal = """SELECT count(*) FROM requests r JOIN (SELECT trace_id, request_span_id AS span_id, sum(stage_ns)::BIGINT AS ns
        FROM stage_time GROUP BY ALL) t USING (trace_id, span_id) WHERE t.ns != r.duration_ns"""
    assert opened.data.connection.execute(unequal).fetchall() == [(0,)]


@every_case
def test_replaying_without_a_change_changes_nothing(case: Case, open_case: Callable[..., Opened]) -> None:
    found = ask("what_if_nothing", open_case(case))
    if found is not None:
        said = found.as_dict()
        assert all(row["before_ns"] == row["after_ns"] for row in said["percentiles"])
        assert said["requests_changed"] == 0
        assert said["within_budget"]["before"] == said["within_budget"]["after"]


@every_case
def test_less_work_never_takes_longer(case: Case, open_case: Callable[..., Opened]) -> None:
    for name in ("what_if_half", "what_if_capped", "what_if_no_retries"):
        found = ask(name, open_case(case))
        for row in found.as_dict()["percentiles"] if found else ():
            assert row["before_ns"] is None or row["after_ns"] <= row["before_ns"], f"{name}: {row}"


@every_case
def test_a_dataset_compared_with_itself_has_not_changed(case: Case, open_case: Callable[..., Opened]) -> None:
    found = ask("compare_with_itself", open_case(case))
    if found is not None:
        said = found.as_dict()
        assert said["verdict"] in ("same", "unknown")
        assert not found.result.regressed
        assert all(
            row["change_ns"] in (0, None) for row in (*said["end_to_end"], *said["services"], *said["operations"])
        )


@every_case
def test_a_check_blames_only_caps_that_were_given(case: Case, open_case: Callable[..., Opened]) -> None:
    opened = open_case(case)
    found = ask("review", opened)
    if found is None:
        return
    broken = over(found.result)
    if opened.budget is None:
        assert broken == []
    for one in broken:
        assert one.latency_ns > one.budget_ns or found.as_dict().get("failed")
    if case.name == "ties_at_the_cap":
        assert [row.verdict for row in found.result.end_to_end if row.budget_ns][-1] == "within"
        assert broken == []


@pytest.mark.parametrize("name", [name for name in ANALYSES if not name.startswith("review_of")])
@every_case
def test_the_order_of_spans_in_a_dump_changes_no_answer(
    name: str, case: Case, open_case: Callable[..., Opened]
) -> None:
    one, other = ask(name, open_case(case)), ask(name, open_case(case, mixed=True))
    assert (one is None) == (other is None)
    if one is not None:
        assert nearly(_without_paths(other.as_dict())) == _without_paths(one.as_dict())


def nearly(value: Any) -> Any:
    """The value, its fractions compared to nine digits: sums of floats depend on their order."""
    if isinstance(value, dict):
        return {key: nearly(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [nearly(entry) for entry in value]
    return pytest.approx(value, rel=1e-9) if isinstance(value, float) else value


def _without_paths(value: Any) -> Any:
    """What names the dataset's file is left out."""
    if isinstance(value, dict):
        return {key: _without_paths(entry) for key, entry in value.items() if key != "try"}
    return [_without_paths(entry) for entry in value] if isinstance(value, list | tuple) else value
