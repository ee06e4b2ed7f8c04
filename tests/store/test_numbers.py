"""Rows of a dataset name only rows that there are: analyses use the numbers as places in arrays."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError
from overbudget.store.numbers import NAMES, NUMBERED, SPARE, SPARSE, asked, columns_of

RECORDED = Path(__file__).parents[1] / "frameworks" / "recorded" / "openinference-langgraph.jsonl.gz"  # small
COLUMNS = [(table, column, named) for table, columns in NAMES.items() for column, named in columns.items()]
MOST = {"SMALLINT": 2**15 - 1, "INTEGER": 2**31 - 1}


START = 1_790_000_000_000_000_000


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Rows in every table: the recorded dump has no event, link, clock to adjust or first token."""
    folder = tmp_path_factory.mktemp("numbers")
    (folder / "more.json").write_text(json.dumps({"resourceSpans": [_of("a", 1, 0, 100), _of("b", 2, 500, 540)]}))
    ingest([RECORDED, folder / "more.json"], folder / "d.duckdb")
    return (folder / "d.duckdb").read_bytes()


def _of(service: str, number: int, start_ms: int, end_ms: int) -> dict[str, Any]:
    """A service with one span, the second below the first by another clock."""
    said = {"gen_ai.operation.name": "chat", "gen_ai.response.time_to_first_chunk": "0.01"} if number == 2 else {}
    span = {
        "traceId": "a" * 32,
        "spanId": f"{number:016x}",
        "parentSpanId": f"{1:016x}" if number > 1 else "",
        "name": f"work {service}",
        "kind": 3 if number == 1 else 2,
        "startTimeUnixNano": str(START + start_ms * 1_000_000),
        "endTimeUnixNano": str(START + end_ms * 1_000_000),
        "attributes": _attributes(said),
        "events": [{"name": "said", "timeUnixNano": str(START)}],
        "links": [{"traceId": "b" * 32, "spanId": "c" * 16}],
    }
    return {"resource": {"attributes": _attributes({"service.name": service})}, "scopeSpans": [{"spans": [span]}]}


def _attributes(said: dict[str, str]) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in said.items()]


def changed(path: Path, whole: bytes, *statements: str) -> Path:
    path.write_bytes(whole)
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)
    return path


def test_every_number_of_a_table_is_looked_at(whole: bytes, tmp_path: Path) -> None:
    with open_dataset(changed(tmp_path / "d.duckdb", whole)) as opened:
        found = opened.execute(
            """SELECT if(schema_name = 'main', '', 'data.') || table_name, column_name FROM duckdb_columns() JOIN duckdb_tables()
               USING (schema_name, table_name) WHERE data_type IN ('SMALLINT', 'INTEGER') AND table_name <> 'about'"""
        ).fetchall()
    counts = {("data.stage_time", "span_count"), ("requests", "span_count"), ("requests", "in_flight")}
    assert set(found) - counts == {(table, column) for table, column, _ in COLUMNS} | set(NUMBERED.items())


@pytest.mark.parametrize(("table", "column", "named"), COLUMNS)
def test_a_number_beyond_what_there_is_is_refused_by_a_sentence(
    table: str, column: str, named: str, whole: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "d.duckdb"
    greatest = f"(SELECT max({NUMBERED[named]}) FROM {named})"
    one = f"WHERE rowid = (SELECT min(rowid) FROM {table})"
    open_dataset(changed(path, whole, f"UPDATE {table} SET {column} = {greatest} {one}")).close()
    for beyond in (f"{greatest} + 1", "-3"):
        with pytest.raises(
            OverbudgetError, match=f"{table}.{column} names rows that there are not. Make it again with"
        ):
            open_dataset(changed(path, whole, f"UPDATE {table} SET {column} = {beyond} {one}"))


def test_numbers_may_have_gaps_but_not_any(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "d.duckdb"
    with open_dataset(changed(path, whole)) as opened:
        rows = opened.execute("SELECT count(*) FROM requests").fetchall()[0][0]
    at = f"UPDATE requests SET request_no = {{}} WHERE request_no = {rows - 1}"
    open_dataset(changed(path, whole, at.format(SPARSE * rows + SPARE))).close()
    with pytest.raises(OverbudgetError, match=r"requests\.request_no names rows"):
        open_dataset(changed(path, whole, at.format(SPARSE * rows + SPARE + 1)))
    with pytest.raises(OverbudgetError, match=r"requests\.request_no names rows"):
        open_dataset(changed(path, whole, at.format(-1)))


@pytest.mark.parametrize("table", sorted({*NUMBERED, *NAMES}))
def test_what_is_stored_is_read_and_not_what_the_file_says_of_itself(table: str, whole: bytes, tmp_path: Path) -> None:
    """Statistics can be left as they were when a number in a block is changed, and its checksum made to fit."""
    with open_dataset(changed(tmp_path / "d.duckdb", whole)) as connection:
        plan = connection.execute(f"EXPLAIN {asked(table)}").fetchall()[0][1]
    assert "Seq Scan" in plan
    assert all(column in plan for column in columns_of(table))
