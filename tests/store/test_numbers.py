"""Rows of a dataset name only rows that there are: analyses use the numbers as places in arrays."""

from pathlib import Path

import duckdb
import pytest

from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError
from overbudget.store.numbers import NAMES, NUMBERED, SPARE, SPARSE

RECORDED = Path(__file__).parents[1] / "frameworks" / "recorded" / "openinference-langgraph.jsonl.gz"  # small
COLUMNS = [(table, column, named) for table, columns in NAMES.items() for column, named in columns.items()]
MOST = {"SMALLINT": 2**15 - 1, "INTEGER": 2**31 - 1}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("numbers") / "d.duckdb"
    ingest([RECORDED], path)
    return path.read_bytes()


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
    with duckdb.connect() as connection:
        changed(path, whole)
        connection.execute(f"ATTACH '{path}' AS d (READ_ONLY)")
        empty = connection.execute(f"SELECT count(*) FROM d.{table}").fetchall() == [(0,)]
    if empty:
        pytest.skip("the sample has no such rows")
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
