"""A dataset documents itself, is published whole or not at all, and lets nobody out."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from overbudget.app.server.workspace import SAMPLES
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import build, open_dataset, sweep_folder
from overbudget.store.errors import OverbudgetError
from overbudget.store.export import export_parquet
from overbudget.store.query import run_sql
from overbudget.store.relations import RELATIONS
from overbudget.store.tables import insert, passing
from tests.store.test_lock import elsewhere


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "d.duckdb"
    ingest([SAMPLES / "healthy.otlp.jsonl.gz"], path)
    return path


def test_every_relation_and_column_has_a_comment(dataset: Path) -> None:
    connection = open_dataset(dataset)
    bare = connection.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal AND coalesce(comment, '') = ''"
    )
    assert bare.fetchall() == []
    relations = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE coalesce(comment, '') = '' "
        "UNION ALL SELECT view_name FROM duckdb_views() WHERE NOT internal AND coalesce(comment, '') = ''"
    )
    assert relations.fetchall() == []


def test_the_relations_that_are_promised_answer(dataset: Path) -> None:
    connection = open_dataset(dataset)
    for relation in RELATIONS:
        connection.execute(f"SELECT * FROM {relation} LIMIT 5").fetchall()
    types = dict(
        connection.execute("SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'spans'").fetchall()
    )
    assert types["attributes"] == types["resource_attributes"] == "MAP(VARCHAR, VARCHAR)"
    assert types["start_time"] == "TIMESTAMP_NS"
    assert types["duration_ns"] == "BIGINT"


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "COPY requests TO '/tmp/overbudget-escape.csv'",
        "ATTACH '/tmp/overbudget-escape.duckdb'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SELECT 1; SELECT 2",
        "",
        "SET memory_limit = '9GB'",
        "SET enable_external_access = true",
        "CREATE TABLE mine AS SELECT 1",
        "DELETE FROM requests",
        "EXPORT DATABASE '/tmp/overbudget-escape'",
        "PRAGMA database_list",
        "CALL checkpoint()",
        "USE memory",
        "PREPARE p AS SELECT 1",
        "EXPLAIN ANALYZE DELETE FROM requests",
    ],
)
def test_the_sandbox_refuses(dataset: Path, query: str) -> None:
    with pytest.raises(OverbudgetError):
        run_sql(dataset, query)


@pytest.mark.parametrize("beside", ["", ".wal", ".wal.recovery", ".wal.checkpoint", ".tmp/spilled"])
@pytest.mark.parametrize("asked", ["SELECT 1", "PIVOT (SELECT 1 AS a, 2 AS b) ON a USING sum(b)", "FROM requests"])
@pytest.mark.parametrize("before", ["", "EXPLAIN ANALYZE ", "/* a question */ explain (analyze) "])
def test_no_query_writes_the_file_of_its_dataset_or_one_beside_it(
    dataset: Path, tmp_path: Path, before: str, asked: str, beside: str
) -> None:
    """DuckDB allows these files, and COPY, even on a connection that is read-only without access to files."""
    path = tmp_path / "d.duckdb"
    path.write_bytes(dataset.read_bytes())
    with pytest.raises(OverbudgetError, match="Only questions can be asked"):
        run_sql(path, f"{before}COPY ({asked}) TO '{path}{beside}' (FORMAT csv, USE_TMP_FILE false)")
    assert path.read_bytes() == dataset.read_bytes()
    assert [one.name for one in tmp_path.iterdir()] == ["d.duckdb"]


@pytest.mark.parametrize(
    "query",
    [
        "FROM requests LIMIT 1",
        "WITH one AS (SELECT 1 AS copy) FROM one",
        "VALUES (1)",
        "DESCRIBE spans",
        "SUMMARIZE stage_time",
        "SHOW TABLES",
        "PIVOT stage_time ON stage USING sum(stage_ns)",
        "EXPLAIN SELECT 1",
        "EXPLAIN ANALYZE FROM requests",
    ],
)
def test_whatever_asks_is_answered(dataset: Path, query: str) -> None:
    assert run_sql(dataset, query).rows


def test_a_query_that_takes_too_long_is_stopped(dataset: Path) -> None:
    with pytest.raises(OverbudgetError, match="longer than"):
        run_sql(
            dataset,
            "SELECT count(*) FROM range(1000000000) a, range(1000) b WHERE a.range % 7 = b.range % 11",
            timeout_s=0.3,
        )


def test_rows_beyond_the_most_are_said_to_be_left_out(dataset: Path) -> None:
    answer = run_sql(dataset, "SELECT * FROM range(10)", most_rows=4)
    assert (len(answer.rows), answer.more) == (4, True)


def test_a_failure_leaves_the_older_dataset_and_nothing_else(dataset: Path, tmp_path: Path) -> None:
    path = tmp_path / "d.duckdb"
    path.write_bytes(dataset.read_bytes())
    with pytest.raises(RuntimeError), build(path) as connection:
        connection.execute("INSERT INTO data.stages VALUES (0, 'x')")
        raise RuntimeError("crash")
    assert [file.name for file in tmp_path.iterdir()] == ["d.duckdb"]
    assert path.read_bytes() == dataset.read_bytes()


def test_what_a_killed_builder_left_is_removed_by_the_next_and_nothing_else(dataset: Path, tmp_path: Path) -> None:
    path = tmp_path / "d.duckdb"
    (tmp_path / ".d.duckdb.abcdefgh" / "spill").mkdir(parents=True)
    (tmp_path / ".d.duckdb.abcdefgh" / "dataset.duckdb").touch()
    (tmp_path / ".d.duckdb.mine1234").mkdir()
    (tmp_path / ".d.duckdb.mine1234" / "notes.txt").touch()
    others = [".d.duckdb.mine1234", ".d.duckdb.old.duckdb.abcdefgh", ".e.duckdb.abcdefgh"]
    for name in others[1:]:
        (tmp_path / name).mkdir()
    with build(path):
        pass
    assert sorted(file.name for file in tmp_path.iterdir()) == [*others, "d.duckdb"]


def test_a_folder_is_swept_of_what_nobody_writes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f".{name}.duckdb.abcdefgh").mkdir()
    (tmp_path / ".a.duckdb.lock").touch()
    (tmp_path / ".hidden").touch()
    with elsewhere(tmp_path / "b.duckdb") as writer:
        assert sweep_folder(tmp_path) == 1
        left = sorted(file.name for file in tmp_path.iterdir())
        writer.communicate("\n")
    assert left == [".b.duckdb.abcdefgh", ".b.duckdb.lock", ".hidden"]
    assert sweep_folder(tmp_path) == 1


def test_a_dataset_may_be_made_of_more_files_than_16_bits_count(dataset: Path, tmp_path: Path) -> None:
    path = tmp_path / "d.duckdb"
    path.write_bytes(dataset.read_bytes())
    with duckdb.connect(str(path)) as connection:
        for table in ("ingest_report", "requests", "data.spans"):
            connection.execute(f"UPDATE {table} SET source_id = 40000")
    ingest([SAMPLES / "healthy.otlp.jsonl.gz"], path, append=True)
    with open_dataset(path) as connection:
        assert connection.execute("SELECT max(source_id), count(*) FROM ingest_report").fetchall() == [(40_001, 2)]


def test_two_appends_at_once_are_both_in_the_dataset(dataset: Path, tmp_path: Path) -> None:
    path = tmp_path / "d.duckdb"
    path.write_bytes(dataset.read_bytes())
    dumps = [SAMPLES / f"{name}.otlp.jsonl.gz" for name in ("load_ramp", "erratic_big_model")]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda dump: ingest([dump], path, append=True), dumps))
    sources = {Path(row[0]) for row in open_dataset(path).execute("SELECT source FROM ingest_report").fetchall()}
    assert sources == {SAMPLES / "healthy.otlp.jsonl.gz", *dumps}


def test_an_ingest_that_may_not_replace_takes_the_next_name(dataset: Path, tmp_path: Path) -> None:
    path = tmp_path / "d.duckdb"
    path.write_bytes(b"")
    assert ingest([SAMPLES / "healthy.otlp.jsonl.gz"], path, replace=False).dataset == tmp_path / "d-2.duckdb"
    assert path.read_bytes() == b""


def test_readers_share_a_dataset(dataset: Path) -> None:
    first, second = open_dataset(dataset), open_dataset(dataset)
    assert (
        first.execute("SELECT count(*) FROM requests").fetchall()
        == second.execute("SELECT count(*) FROM requests").fetchall()
    )


def test_what_is_no_dataset_is_said(tmp_path: Path) -> None:
    with pytest.raises(OverbudgetError, match="no dataset"):
        open_dataset(tmp_path / "gone.duckdb")
    (tmp_path / "text.duckdb").write_text("hello")
    with pytest.raises(OverbudgetError, match="cannot be opened"):
        open_dataset(tmp_path / "text.duckdb")
    duckdb.connect(str(tmp_path / "other.duckdb")).close()
    with pytest.raises(OverbudgetError, match="not a dataset"):
        open_dataset(tmp_path / "other.duckdb")


def test_parquet_holds_every_relation_with_its_comments(dataset: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    connection = open_dataset(dataset)
    for path in export_parquet(dataset, tmp_path / "out"):
        file = pq.ParquetFile(path)
        assert file.metadata.num_rows == connection.execute(f"SELECT count(*) FROM {path.stem}").fetchall()[0][0]
        assert all(field.metadata[b"comment"] for field in file.schema_arrow)
    assert len(list((tmp_path / "out").iterdir())) == len(RELATIONS)


def test_a_query_sees_no_python_variable_that_has_its_tables_name(dataset: Path) -> None:
    mine = pa.table({"a": [1]})
    with pytest.raises(duckdb.CatalogException):
        open_dataset(dataset).execute("FROM mine")
    connection = open_dataset(dataset)
    with passing(connection, mine=mine):
        assert connection.execute("FROM mine").fetchall() == [(1,)]
    with pytest.raises(duckdb.CatalogException):
        connection.execute("FROM mine")


def test_rows_are_inserted_by_the_names_of_their_columns() -> None:
    connection = duckdb.connect(config={"python_enable_replacements": False})
    connection.execute('CREATE SCHEMA data; CREATE TABLE data.t (a INTEGER, "order" VARCHAR, c DOUBLE)')
    insert(connection, "data.t", pa.table({"order": ["x"], "a": [7]}))
    assert connection.execute("FROM data.t").fetchall() == [(7, "x", None)]


def test_a_dataset_whose_last_blocks_were_freed_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "d.duckdb"
    many = """INSERT INTO data.events BY NAME SELECT i::INTEGER AS span_no, hash(i)::VARCHAR AS name, [] AS attributes,
        0 AS dropped_attributes_count FROM range(300_000) r(i)"""
    with build(path) as connection:
        connection.execute(many)
    with build(path, start_from=path) as connection:
        connection.execute(many)
        connection.execute("DELETE FROM data.events")
    block, blocks = (
        duckdb.connect(str(path), read_only=True)
        .execute("SELECT block_size, total_blocks FROM pragma_database_size()")
        .fetchall()[0]
    )
    assert path.stat().st_size < block * blocks, "the file ends before blocks that DuckDB still counts"
    open_dataset(path).close()
