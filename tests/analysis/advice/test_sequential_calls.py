"""Runs of calls that follow one another under one parent."""

from pathlib import Path

from overbudget.analysis.advice.sequential_calls import Run, sequential_calls
from overbudget.analysis.whatif.whatif import Workbench
from overbudget.store.dataset import open_dataset
from tests.dataset_builder import MS, DatasetBuilder, Work


def found_in(tmp_path: Path, *requests: list[Work]) -> list[Run]:
    builder = DatasetBuilder()
    for work in requests:
        builder.request(*work)
    bench = Workbench(open_dataset(builder.write(tmp_path / "d.duckdb")))
    return list(sequential_calls(bench.nodes, ("tools", "retrieval")))


def tool(name: str) -> Work:
    return Work("tools", 10 * MS, f"tool {name}")


CHAT = Work("inference", 50 * MS, "chat")


def test_calls_of_one_stage_in_a_row_are_a_run(tmp_path: Path) -> None:
    (run,) = found_in(tmp_path, [tool("a"), tool("b"), tool("a"), CHAT])
    assert (run.stage, run.runs, run.most, run.orders) == ("tools", 1, 3, 1)
    assert [name for _, name in run.operations] == ["tool a", "tool b"]
    assert (run.overlapping, len(run.calls)) == (0, 3)


def test_a_call_of_another_stage_ends_a_run(tmp_path: Path) -> None:
    assert found_in(tmp_path, [tool("a"), CHAT, tool("b")]) == []


def test_runs_of_the_same_operations_are_put_together_whatever_their_order(tmp_path: Path) -> None:
    (run,) = found_in(tmp_path, [tool("a"), tool("b")], [tool("b"), tool("a")], [tool("a"), tool("b")])
    assert (run.runs, run.orders, run.most, len(run.calls)) == (3, 2, 2, 6)


def test_the_most_frequent_runs_come_first(tmp_path: Path) -> None:
    runs = found_in(tmp_path, [tool("c"), tool("d")], *[[tool("a"), tool("b")]] * 2)
    assert [(run.runs, run.operations[0][1]) for run in runs] == [(2, "tool a"), (1, "tool c")]


def test_calls_of_a_stage_that_is_not_asked_for_are_none(tmp_path: Path) -> None:
    assert found_in(tmp_path, [CHAT, Work("inference", 20 * MS, "rewrite")]) == []
