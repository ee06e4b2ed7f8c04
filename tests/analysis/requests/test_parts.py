"""Parts of inference per request, as stored and under the rules of a budget."""

from pathlib import Path

import duckdb

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.requests.parts import occurring_parts, part_ns
from overbudget.analysis.requests.read import read_requests
from overbudget.analysis.requests.table import RequestTable
from overbudget.store.dataset import open_dataset
from tests.dataset_builder import MS, DatasetBuilder, Work


def call(name: str, first_ms: int, writing_ms: int) -> Work:
    told = {"first_token_ns": first_ms * MS, "writing_ns": writing_ms * MS}
    keys = {"gen_ai.operation.name": "chat"}
    return Work("inference", (first_ms + writing_ms) * MS, name, keys=keys, call=told)


def two_requests(path: Path) -> duckdb.DuckDBPyConnection:
    builder = DatasetBuilder()
    builder.request(call("chat", 30, 70), call("summarise", 5, 15))
    builder.request(call("chat", 10, 20))
    builder.request(Work("inference", 50 * MS, "chat", keys={"gen_ai.operation.name": "chat"}))
    builder.request(Work("tools", 50 * MS, "look up"))
    return open_dataset(builder.write(path / "parts.duckdb"))


def parts(path: Path, budget: str = "") -> RequestTable:
    return read_requests(two_requests(path), parse_budget(budget))


def test_parts_are_those_of_all_calls_of_a_request_and_unknown_where_none_records_them(tmp_path: Path) -> None:
    found = parts(tmp_path)
    assert part_ns(found, "inference.first_token").tolist() == [35 * MS, 10 * MS, -1, 0]
    assert part_ns(found, "inference.writing").tolist() == [85 * MS, 20 * MS, -1, 0]
    assert part_ns(found, "inference.prefill").tolist() == [-1, -1, -1, 0]
    assert occurring_parts(found) == ["inference.first_token", "inference.writing"]


def test_rules_that_leave_inference_as_it_is_leave_its_parts_as_they_are(tmp_path: Path) -> None:
    found = parts(tmp_path, '[stages.retrieval]\nmatch = { name = "look *" }')
    assert part_ns(found, "inference.writing").tolist() == [85 * MS, 20 * MS, -1, 0]


def test_parts_are_unknown_where_a_rule_changes_what_inference_is(tmp_path: Path) -> None:
    found = parts(tmp_path, '[stages.safety]\nmatch = { name = "summarise" }')
    assert part_ns(found, "inference.writing").tolist() == [-1, 20 * MS, -1, 0]
