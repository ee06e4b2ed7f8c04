"""Rows of ClickHouse by columns: what comes out is what the translation of each record gives, or it is left to that one."""

import json
import random
import resource
import tempfile
from pathlib import Path
from typing import Any

import pytest

from overbudget.ingest.formats.tables import clickhouse_lines
from overbudget.ingest.pipeline import ingest
from overbudget.ingest.report import FileReport
from overbudget.store.dataset import open_dataset

RELATIONS = {
    "spans": "trace_id, span_id, parent_span_id, trace_state, name, kind, service_name, scope_name, scope_version, start_ns, "
    "end_ns, status_code, status_message, attributes, resource_attributes",
    "span_events": "trace_id, span_id, time_ns, name, attributes",
    "span_links": "trace_id, span_id, linked_trace_id, linked_span_id, attributes",
}


def row(number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "Timestamp": "2026-09-21 14:13:20.123456789", "TraceId": f"{number // 4 + 1:032x}", "SpanId": f"{number + 1:016x}",
        "ParentSpanId": "", "TraceState": "", "SpanName": "chat", "SpanKind": "Client", "ServiceName": "api",
        "ResourceAttributes": {"service.name": "api"}, "ScopeName": "s", "ScopeVersion": "1",
        "SpanAttributes": {"gen_ai.operation.name": "chat"}, "Duration": 5_000_000, "StatusCode": "Ok", "StatusMessage": "",
        "Events.Timestamp": [], "Events.Name": [], "Events.Attributes": [],
        "Links.TraceId": [], "Links.SpanId": [], "Links.TraceState": [], "Links.Attributes": [], **more,
    }  # fmt: skip


def anything(seed: int) -> list[dict[str, Any]]:
    """Rows in which everything that the table can hold occurs."""
    some = random.Random(seed)

    def text() -> str:
        return "".join(some.choices('ab"\\\n\té😀 {}', k=some.randrange(6)))

    def given() -> dict[str, str]:
        return {f"k{place}": text() for place in range(some.randrange(4))}

    rows = []
    for number in range(60):
        events, links = some.randrange(3), some.randrange(2)
        rows.append(
            row(
                number,
                Timestamp=f"2026-09-21{some.choice(' T')}14:13:2{some.randrange(10)}{some.choice(['', '.5', '.123456789', '.5Z'])}",
                ParentSpanId=some.choice(["", f"{number // 4 * 4 + 1:016x}"]),
                SpanName=text(), SpanKind=some.choice(["Server", "Internal", "SPAN_KIND_CLIENT", "Unspecified", "", "Other"]),
                ServiceName=some.choice(["api", "db"]), ResourceAttributes={"service.name": "api", **given()},
                SpanAttributes=given(), Duration=some.choice([0, 7, "12000000"]), StatusCode=some.choice(["Ok", "Error", "Unset"]),
                StatusMessage=text(),
                **{"Events.Timestamp": ["2026-09-21 14:13:20.5"] * events, "Events.Name": [text() for _ in range(events)],
                   "Events.Attributes": [given() for _ in range(events)], "Links.TraceId": [f"{7:032x}"] * links,
                   "Links.SpanId": [f"{9:016x}"] * links, "Links.TraceState": [""] * links,
                   "Links.Attributes": [given() for _ in range(links)]},
            )
        )  # fmt: skip
    return rows


def lines(rows: list[dict[str, Any]]) -> bytes:
    return b"\n".join(json.dumps(one, ensure_ascii=False).encode() for one in rows)


def stored(path: Path, data: bytes) -> tuple[dict[str, list[Any]], int, set[str]]:
    """What a dump gives: relations, spans rejected, warnings."""
    path.with_suffix(".jsonl").write_bytes(data)
    result = ingest([path.with_suffix(".jsonl")], path)
    connection = open_dataset(path)
    found = {
        name: sorted(connection.execute(f"SELECT {of} FROM {name}").fetchall(), key=repr)
        for name, of in RELATIONS.items()
    }
    return found, result.files[0].rejected, set(result.files[0].warnings)


@pytest.mark.parametrize("seed", range(4))
def test_columns_give_what_records_give(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = lines(anything(seed))
    assert clickhouse_lines.batch_of_lines(data, FileReport("d")) is not None
    by_columns = stored(tmp_path / "columns.duckdb", data)
    monkeypatch.setattr(clickhouse_lines, "batch_of_lines", lambda piece, report: None)
    assert stored(tmp_path / "records.duckdb", data) == by_columns


@pytest.mark.parametrize(
    "odd",
    [
        lines([row(Timestamp="2026-09-21 14:13:20+02:00")]),
        lines([row(Timestamp=1_790_000_000)]),
        lines([row(Duration="soon")]),
        lines([row(Duration="1.5")]),
        lines([row(SpanAttributes=["none"])]),
        lines([row(**{"Events.Name": ["one without a time"]})]),
        lines([row(**{"Events.Timestamp": ["noon"], "Events.Name": ["e"], "Events.Attributes": [{}]})]),
        lines([row(Events=[{"Timestamp": "2026-09-21 14:13:20", "Name": "e", "Attributes": {}}])]),
        b'{"TraceId": "1", ' + lines([row()])[1:40],
        b'{"resourceSpans": []}',
        b"5",
        b"[" + lines([row()]) + b"]",
        lines([row()]) + b" " + lines([row()]),
        b'{"meta": [], "data": [' + lines([row()]) + b"]}",
    ],
)  # fmt: skip
def test_what_is_not_as_the_table_has_it_is_left_to_the_records(odd: bytes) -> None:
    whole = lines([row(2), row(3)])
    assert clickhouse_lines.batch_of_lines(whole, FileReport("d")) is not None
    report = FileReport("d")
    assert clickhouse_lines.batch_of_lines(whole + b"\n" + odd, report) is None
    assert report.warnings == {}


def test_a_wrong_value_that_is_read_by_columns_gives_what_records_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = [None, 5, 1.5, True, "x", "", [], {}, [5], [None], {"a": 1}]
    changed = [{column: value} for column in row() for value in wrong]
    read = [one for one in changed if clickhouse_lines.batch_of_lines(lines([row(1, **one)]), FileReport("d"))]
    assert len(read) > 100
    data = lines([row(number, **one) for number, one in enumerate(read)])
    by_columns = stored(tmp_path / "columns.duckdb", data)
    monkeypatch.setattr(clickhouse_lines, "batch_of_lines", lambda piece, report: None)
    assert stored(tmp_path / "records.duckdb", data) == by_columns


def test_no_file_is_written_before_texts_are_redacted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What --no-content withholds would stay on the disk of a process that is killed; a full one would end the reading."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))  # no byte goes into any file
    try:
        batch = clickhouse_lines.batch_of_lines(lines(anything(1) * 50), FileReport("d"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert batch is not None
    assert batch.spans.num_rows == 3000


def test_a_broken_row_costs_itself(tmp_path: Path) -> None:
    found, _, warnings = stored(tmp_path / "d.duckdb", lines([row(1), row(2)]) + b'\n{"TraceId": \n' + lines([row(3)]))
    assert len(found["spans"]) == 3
    assert "unreadable_record" in warnings


def test_an_id_that_is_a_text_is_kept_and_told(tmp_path: Path) -> None:
    found, _, warnings = stored(tmp_path / "d.duckdb", lines([row(1, SpanId="span one"), row(2)]))
    assert len(found["spans"]) == 2
    assert "text_ids" in warnings


def test_attributes_are_bounded_as_in_every_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERBUDGET_LIMIT_ATTRIBUTES", "3")
    monkeypatch.setenv("OVERBUDGET_LIMIT_VALUE_BYTES", "8")
    given = {f"k{place}": "x" * (20 if place == 0 else 2) for place in range(9)}
    found, _, warnings = stored(tmp_path / "d.duckdb", lines([row(1, SpanAttributes=given), row(2)]))
    assert {"long_value", "many_attributes"} <= warnings
    assert [len(span[13]) for span in found["spans"]] == [3, 1]
    assert next(span for span in found["spans"] if len(span[13]) == 3)[13]["k0"].startswith("xxxxxxxx … [cut")


@pytest.mark.parametrize(
    ("resource", "service", "expected"),
    [
        ({"x": "y"}, "app", "app"),
        ({}, "app", "app"),
        ({"service.name": "own", "x": "y"}, "app", "own"),
        ({"x": "y"}, "", "unknown_service"),
    ],
)
def test_a_resource_without_service_name_is_of_the_service_of_its_row(
    resource: dict[str, str], service: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = lines(
        [row(1, ResourceAttributes={"service.name": "api"}), row(2, ResourceAttributes=resource, ServiceName=service)]
    )
    found, _, _ = stored(tmp_path / "columns.duckdb", data)
    of_second = next(span for span in found["spans"] if span[1] == f"{3:016x}")
    assert (of_second[6], of_second[14].get("x")) == (expected, resource.get("x"))
    monkeypatch.setattr(clickhouse_lines, "batch_of_lines", lambda piece, report: None)
    assert stored(tmp_path / "records.duckdb", data)[0] == found


def test_rows_without_resources_are_of_the_service_of_their_row(tmp_path: Path) -> None:
    rows = [{key: value for key, value in row(number).items() if key != "ResourceAttributes"} for number in (1, 2)]
    found, _, warnings = stored(tmp_path / "d.duckdb", lines(rows))
    assert ({span[6] for span in found["spans"]}, "no_service_name" in warnings) == ({"api"}, False)
