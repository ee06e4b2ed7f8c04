"""What is usual for an operation, and which calls repeat a failed one."""

from dataclasses import replace
from pathlib import Path

from overbudget.analysis.trace.result import Trace, TraceSpan
from overbudget.analysis.trace.trace import load_trace, retried
from overbudget.analysis.trace.typical_durations import typical_durations
from overbudget.store.dataset import open_dataset
from tests.dataset_builder import MS, DatasetBuilder, Work

SPAN = TraceSpan(
    "1", None, -1, 0, "chat", "api", "CLIENT", "inference", 1_000, 9_000, 0, True, False, "UNSET", "", 0, None, {}, {}
)


def test_a_span_stands_where_its_duration_ranks_among_its_like(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for number in range(40):
        builder.request(Work("retrieval", (number + 1) * MS, "search"), Work("tools", 5 * MS, f"rare {number}"))
    connection = open_dataset(builder.write(tmp_path / "d.duckdb"))
    trace = load_trace(connection, f"{30:032x}")  # the 30th request: 30 ms
    usual = typical_durations(connection, trace)
    spans = {span.name: span.span_id for span in trace.spans}
    search = usual[spans["search"]]
    assert (search.spans, search.median_ns) == (40, 20_500_000)
    assert search.rank == 29.5 / 40
    assert spans["rare 29"] not in usual


def test_a_repeat_of_a_failed_call_is_known_by_its_name_and_parent() -> None:
    def call(span_id: str, start: int, end: int, status: str = "UNSET", name: str = "search") -> TraceSpan:
        return replace(SPAN, span_id=span_id, parent=0, name=name, start_ns=start, end_ns=end, status_code=status)

    spans = [
        SPAN, call("a", 0, 10, "ERROR"), call("b", 12, 20, "ERROR"), call("c", 30, 40), call("d", 50, 60),
        call("e", 5, 9, name="other"), call("f", 0, 30, "ERROR", "both"), call("g", 10, 20, name="both"),
    ]  # fmt: skip
    assert retried(Trace("t", spans, [])) == {"b", "c"}
