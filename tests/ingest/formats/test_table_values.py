"""A value of a Parquet table that cannot be read, of whatever type, costs itself and is reported; so does a damaged row group."""

import datetime
import io
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from overbudget.ingest.batch import SpanBatch
from overbudget.ingest.formats.tables import parquet
from overbudget.ingest.pipeline import ingest
from overbudget.ingest.report import FileReport
from overbudget.ingest.warnings import WARNINGS
from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError
from overbudget.store.export import export_parquet

T = 1_764_000_000_000_000_000
TEXT_MAP = pa.map_(pa.string(), pa.string())
Columns = dict[str, pa.Array]


def texts(one: str) -> pa.Array:
    return pa.array([one] * 3)


def clickhouse(**changed: Any) -> Columns:
    """Three rows of otel_traces; a column that is None was not exported, `Events__Name` is Events.Name."""
    table = {
        "Timestamp": pa.array([T] * 3, pa.timestamp("ns")), "TraceId": texts("a" * 32),
        "SpanId": pa.array([f"{number:016x}" for number in (1, 2, 3)]), "ParentSpanId": texts(""), "SpanName": texts("n"),
        "SpanKind": texts("Server"), "ServiceName": texts("app"),
        "ResourceAttributes": pa.array([[("service.name", "app")]] * 3, TEXT_MAP),
        "SpanAttributes": pa.array([[("a", "b")]] * 3, TEXT_MAP), "Duration": pa.array([1000] * 3, pa.int64()),
        "StatusCode": texts("Ok"), "StatusMessage": texts(""), "Events.Timestamp": pa.array([[T]] * 3, pa.list_(pa.timestamp("ns"))),
        "Events.Name": pa.array([["e"]] * 3), "Events.Attributes": pa.array([[[("k", "v")]]] * 3, pa.list_(TEXT_MAP)),
        "Links.TraceId": pa.array([["b" * 32]] * 3), "Links.SpanId": pa.array([["c" * 16]] * 3),
        "Links.TraceState": pa.array([[""]] * 3), "Links.Attributes": pa.array([[[]]] * 3, pa.list_(TEXT_MAP)),
    } | {name.replace("__", "."): column for name, column in changed.items()}  # fmt: skip
    return {name: column for name, column in table.items() if column is not None}


def phoenix(**changed: Any) -> Columns:
    moments = pa.timestamp("ns", "UTC")
    table = {
        "name": texts("n"), "span_kind": texts("LLM"), "parent_id": pa.nulls(3, pa.string()),
        "start_time": pa.array([T, T + 1, T], moments), "end_time": pa.array([T + 10**9] * 3, moments),
        "status_code": texts("OK"), "events": pa.array([[{"name": "e", "timestamp": T}]] * 3),
        "context.trace_id": texts("a" * 32), "context.span_id": pa.array([f"{number:016x}" for number in (1, 2, 3)]),
        "attributes.llm.model_name": texts("m"),
    }  # fmt: skip
    return table | {name.replace("__", "."): column for name, column in changed.items()}


def file_of(columns: Columns, **how: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, **how)
    return out.getvalue()


def read(data: bytes, beside: Path | None = None) -> tuple[list[SpanBatch], FileReport]:
    report = FileReport("dump")
    batches = list(parquet.read(io.BytesIO(data), beside, report))
    assert all(warning.example.isprintable() and code in WARNINGS for code, warning in report.warnings.items())
    return batches, report


def spans_of(batches: list[SpanBatch]) -> list[dict[str, Any]]:
    return [one for batch in batches for one in batch.spans.to_pylist()]


def told(report: FileReport) -> dict[str, int]:
    return {code: warning.count for code, warning in report.warnings.items()}


ODD = [
    pa.nulls(3), pa.array([1, None, -5]), pa.array([2**64 - 1, 1, 2], pa.uint64()), pa.array([1.5, float("nan"), 1e300]),
    pa.array([True, False, None]), pa.array(["5", "x", None]), pa.array([b"\xff", b"ok", None]), pa.array([b"\xaa" * 16] * 3, pa.binary(16)),
    pa.array([b"\xff"] * 3).view(pa.string()), pa.array(["n", "n", "m"]).dictionary_encode(), pa.array(["x"] * 3, pa.large_string()),
    pa.array([Decimal("1.5"), None, Decimal("2")]), pa.array([T, 2**62, None], pa.timestamp("us", "Nowhere/Land")),
    pa.array([-(2**62), T, None], pa.timestamp("ns")), pa.array([2**31 - 1, 1, None], pa.date32()), pa.array([1, 2, None], pa.time64("ns")),
    pa.array([2**62, 1, None], pa.duration("us")), pa.array([["x"], None, []]), pa.array([[{"key": "a", "value": 1}], None, []]),
    pa.array([{"a": 1, "b": {"c": None}}, None, {"a": 2}]), pa.array(['{"a": 1}', "[1]", "{"]), pa.array(["[" * 2000] * 3),
    pa.array([[("a", ["x"])], None, []], pa.map_(pa.string(), pa.list_(pa.string()))),
    pa.array([[(b"\xff", b"\xff")], None, []], pa.map_(pa.binary(), pa.binary())), pa.array([[(1, 2)], None, []], pa.map_(pa.int8(), pa.int8())),
    pa.array([[[T]], None, []], pa.list_(pa.list_(pa.timestamp("ns")))), pa.array([[1, 2]] * 3, pa.list_(pa.int8(), 2)),
]  # fmt: skip


@pytest.mark.parametrize("make", [clickhouse, phoenix])
def test_a_column_of_any_other_type_costs_what_it_holds(make: Callable[[], Columns]) -> None:
    for name in make():
        for odd in ODD:
            if name == "context.trace_id" and (pa.types.is_map(odd.type) or pa.types.is_struct(odd.type)):
                continue  # an object there means a table written column by column
            batches, report = read(file_of({**make(), name: odd}))
            kept = sum(batch.spans.num_rows for batch in batches)
            assert kept + report.rejected >= 3, (name, odd.type)


@pytest.mark.parametrize(("changed", "codes"), [
    ({"SpanName": pa.array([b"n\xff", b"ok", b"ok"])}, {"invalid_utf8": 1}),
    ({"SpanName": pa.array([b"n\xff", b"ok", b"ok"]).view(pa.string())}, {"invalid_utf8": 1}),
    ({"SpanAttributes": pa.array(['{"a": "b"}'] * 3)}, {}),
    ({"SpanAttributes": pa.array([{"a": "b"}] * 3)}, {}),
    ({"SpanAttributes": pa.array([[{"key": "a", "value": "b"}]] * 3)}, {}),
    ({"SpanAttributes": pa.array(['{"a": "b"}', "{", "[1]"])}, {"unreadable_attribute": 2}),
    ({"SpanKind": None, "StatusCode": None, "ParentSpanId": None}, {}),
    ({"Timestamp": pa.array(["2026-11-01 10:00:00.000000000"] * 3)}, {}),
    ({"Duration": pa.array([1000.0, 1000.0, 1e30])}, {"bad_time": 1}),
    ({"Duration": pa.array(["1000", "x", "1000"])}, {"bad_time": 1}),
    ({"Duration": pa.array([2**64 - 1, 1, 5], pa.uint64())}, {"bad_time": 1}),
    ({"Events__Name": pa.array([["a", "b"], [], ["c"]])}, {"unreadable_event": 2}),
    ({"Events__Name": texts("no list")}, {"unreadable_event": 3}),
    ({"Events__Timestamp": None, "Events__Attributes": None}, {}),
    ({"TraceId": pa.array([b"\xaa" * 16] * 3), "ParentSpanId": pa.array([b"\0" * 8] * 3, pa.binary(8))}, {}),
    ({"TraceId": pa.array([b"a" * 32] * 3, pa.binary(32)), "ParentSpanId": pa.array([b"\0" * 16] * 3, pa.binary(16))}, {}),
])  # fmt: skip
def test_what_can_be_read_is_read_and_the_rest_reported(changed: Columns, codes: dict[str, int]) -> None:
    batches, report = read(file_of(clickhouse(**changed)))
    spans = spans_of(batches)
    assert (told(report), report.rejected, len(spans)) == (codes, 0, 3)
    assert {span["trace_id"] for span in spans} <= {"a" * 32}
    assert {span["parent_span_id"] for span in spans} == {None}
    assert spans[0]["attributes"] == [{"key": "a", "value": "b"}]


def test_a_start_that_is_no_time_rejects_its_span() -> None:
    batches, report = read(file_of(clickhouse(Timestamp=pa.array(["2026-11-01 10:00:00", "noon", "2026-11-01"]))))
    assert (len(spans_of(batches)), report.rejected, report.warnings["bad_time"].count) == (1, 2, 2)


@pytest.mark.parametrize(("make", "column"), [(clickhouse, "Timestamp"), (phoenix, "start_time")])
@pytest.mark.parametrize(("unit", "far"), [("s", 253402300799), ("us", 253402300800000000), ("ms", 2**62)])
def test_a_start_that_no_timestamp_holds_rejects_its_span(
    make: Callable[..., Columns], column: str, unit: str, far: int
) -> None:
    soon = T // {"s": 10**9, "ms": 10**6, "us": 10**3}[unit]
    batches, report = read(file_of(make(**{column: pa.array([soon, far, soon], pa.timestamp(unit, "UTC"))})))
    assert [span["start_ns"] for span in spans_of(batches)] == [T, T]
    assert report.rejected == 1
    assert "bad_time" in report.warnings


def test_a_time_zone_that_nobody_knows_does_not_matter() -> None:
    batches, report = read(file_of(phoenix(start_time=pa.array([T] * 3, pa.timestamp("ns", "Nowhere/Land")))))
    assert [span["start_ns"] for span in spans_of(batches)] == [T, T, T]
    assert not report.warnings


def test_nanoseconds_are_read_without_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    moments = pa.array([datetime.datetime(2026, 1, 1)] * 3, pa.timestamp("us"))
    batches, _ = read(file_of(phoenix(attributes__at=moments, attributes__took=pa.array([1, 2, 3], pa.duration("ns")))))
    assert [span["start_ns"] for span in spans_of(batches)] == [T, T + 1, T]
    given = {one["key"]: one["value"] for one in spans_of(batches)[0]["attributes"]}
    assert (given["at"], given["took"]) == ("2026-01-01T00:00:00.000000000Z", "1")


def test_ids_in_bytes_are_ids_of_rows_too() -> None:
    batches, _ = read(file_of(phoenix(context__trace_id=pa.array([b"\xaa" * 16] * 3, pa.binary(16)))))
    assert {span["trace_id"] for span in spans_of(batches)} == {"a" * 32}


def damaged(data: bytes, at: int) -> bytes:
    return data[:at] + b"\xff" * 30 + data[at + 30 :]


@pytest.mark.parametrize("make", [clickhouse, phoenix])
def test_damaged_pages_are_not_taken_for_a_disk_that_cannot_be_written(
    make: Callable[..., Columns], tmp_path: Path
) -> None:
    (tmp_path / "x.parquet").write_bytes(damaged(file_of(make()), 20))
    with pytest.raises(OverbudgetError, match="cannot be read as Parquet"):
        ingest([tmp_path / "x.parquet"], tmp_path / "d.duckdb")
    (tmp_path / "sound.parquet").write_bytes(file_of(clickhouse()))
    result = ingest([tmp_path], tmp_path / "d.duckdb")
    assert result.spans == 3
    assert {code for file in result.files for code in file.warnings} >= {"not_a_dump"}


@pytest.mark.parametrize("make", [clickhouse, phoenix])
def test_a_damaged_row_group_costs_itself(make: Callable[..., Columns]) -> None:
    data = file_of(make(), row_group_size=1)
    second = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(1).column(0)
    batches, report = read(damaged(data, second.dictionary_page_offset or second.data_page_offset))
    assert [span["span_id"][-1] for span in spans_of(batches)] == ["1", "3"]
    assert (report.rejected, told(report)["damaged"]) == (1, 1)


def test_events_of_an_export_that_are_damaged_leave_its_spans(tmp_path: Path) -> None:
    (tmp_path / "run.parquet").write_bytes(file_of(clickhouse()))
    ingest([tmp_path / "run.parquet"], tmp_path / "first.duckdb")
    export_parquet(tmp_path / "first.duckdb", tmp_path / "export")
    (tmp_path / "export" / "span_events.parquet").write_bytes(b"PAR1" + b"\xff" * 90 + b"PAR1")
    result = ingest([tmp_path / "export" / "spans.parquet"], tmp_path / "d.duckdb")
    assert result.spans == 3
    assert "span_events.parquet" in result.files[0].warnings["events_missing"].example


def test_columns_of_an_export_that_another_tool_rewrote_cost_what_they_hold(tmp_path: Path) -> None:
    (tmp_path / "run.parquet").write_bytes(file_of(clickhouse()))
    ingest([tmp_path / "run.parquet"], tmp_path / "first.duckdb")
    export_parquet(tmp_path / "first.duckdb", tmp_path / "export")
    whole = {name: pq.read_table(tmp_path / "export" / f"{name}.parquet") for name in ("spans", "span_events")}
    for place, name in enumerate(whole["spans"].schema.names):
        for odd in ODD:
            rows = whole["spans"].set_column(place, name, odd)
            batches, report = read(
                file_of(dict(zip(rows.schema.names, rows.columns, strict=True))), tmp_path / "export"
            )
            assert sum(batch.spans.num_rows for batch in batches) + report.rejected == 3, (name, odd.type)
    spans = (tmp_path / "export" / "spans.parquet").read_bytes()
    for place, name in enumerate(whole["span_events"].schema.names):
        for odd in ODD:
            pq.write_table(
                whole["span_events"].set_column(place, name, odd), tmp_path / "export" / "span_events.parquet"
            )
            batches, _ = read(spans, tmp_path / "export")
            assert sum(batch.spans.num_rows for batch in batches) == 3, (name, odd.type)


def test_a_dataset_holds_what_odd_columns_hold(tmp_path: Path) -> None:
    odd = clickhouse(
        SpanName=pa.array([b"n\xff", b"ok", b"ok"]).view(pa.string()), Duration=pa.array(["1000", "x", "5"])
    )
    (tmp_path / "odd.parquet").write_bytes(file_of(odd))
    ingest([tmp_path / "odd.parquet"], tmp_path / "d.duckdb")
    found = open_dataset(tmp_path / "d.duckdb").execute("SELECT name, end_ns FROM spans ORDER BY span_id").fetchall()
    assert found == [("n\ufffd", T + 1000), ("ok", None), ("ok", T + 5)]


@pytest.mark.parametrize("far", ["9999-12-31T23:59:59Z", "1e300", "1e999999999", 1e300])
def test_an_end_beyond_what_a_timestamp_holds_leaves_its_span(far: str | float) -> None:
    """Also where it would have a billion digits."""
    batches, report = read(file_of(phoenix(end_time=pa.array([far] * 3))))
    assert [span["end_ns"] for span in spans_of(batches)] == [None] * 3
    assert told(report) == {"bad_time": 3}


@pytest.mark.parametrize("changed", [
    {"ResourceAttributes": None},
    {"ResourceAttributes": pa.array([[("x", "y")]] * 3, TEXT_MAP)},
    {"ResourceAttributes": pa.array([None, [], [("service.name", "app")]], TEXT_MAP)},
    {"ResourceAttributes": None, "ServiceName": texts("app").dictionary_encode()},
])  # fmt: skip
def test_resources_of_clickhouse_are_of_the_service_of_their_row(changed: Columns) -> None:
    batches, _ = read(file_of(clickhouse(**changed)))
    for span in spans_of(batches):
        resource = batches[0].resources["attributes"][span["resource"]].as_py()
        assert {"key": "service.name", "value": "app"} in resource


def test_a_row_without_any_service_has_none() -> None:
    batches, _ = read(file_of(clickhouse(ResourceAttributes=None, ServiceName=pa.array([None, "", "app"]))))
    assert sorted(map(len, batches[0].resources["attributes"].to_pylist())) == [0, 1]
