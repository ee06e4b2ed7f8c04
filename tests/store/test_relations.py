"""Only a file that holds what this version writes is a dataset; a stranger's file says what it is and can do nothing."""

from pathlib import Path

import duckdb
import pytest

from overbudget.app.server.workspace import SAMPLES
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import build, open_dataset
from overbudget.store.errors import OverbudgetError
from overbudget.store.relations import KNOWN, LONGEST_COMMENT, digest, own_catalogue


def changed(path: Path, *statements: str) -> Path:
    with build(path):
        pass
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)
    return path


def test_the_catalogue_that_is_known_is_the_one_that_is_written() -> None:
    assert digest(own_catalogue()) == KNOWN, "write this digest into store/relations.py: the schema or DuckDB changed"


def test_an_ingested_dataset_holds_what_this_version_writes(tmp_path: Path) -> None:
    ingest([SAMPLES / "healthy.otlp.jsonl.gz"], tmp_path / "d.duckdb")
    open_dataset(tmp_path / "d.duckdb").close()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("ALTER TABLE operations DROP COLUMN weak", "its relation operations is different. Make it again with: overbudget ingest"),
        ("ALTER TABLE data.places ADD COLUMN more INTEGER", "its relation data.places is different"),
        ("ALTER TABLE ingest_report ALTER bytes TYPE VARCHAR", "its relation ingest_report is different"),
        ("CREATE OR REPLACE VIEW spans AS SELECT * FROM data.spans", "its relation spans is different"),
        ("CREATE OR REPLACE VIEW spans AS WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT 1 FROM r) FROM r", "different"),
        ("CREATE TABLE mine (a INTEGER)", "its relation mine is different"),
        ("DROP VIEW critical_path", "its relation critical_path is missing. Make it again"),
        ("DROP TABLE ingest_report", "a DuckDB file but not a dataset of overbudget: it has no relation ingest_report"),
        ("CREATE MACRO sum(x) AS 42", "it contains the macro 'sum'. Do not trust this file"),
        ("CREATE MACRO duckdb_tables() AS TABLE SELECT 1", "it contains the macro"),
        ("CREATE MACRO duckdb_functions() AS TABLE SELECT 1", "it contains the macro"),
        ('CREATE MACRO "||"(a, b) AS 42', "it contains the macro"),
        ("CREATE MACRO if(a, b, c) AS 42", "it contains the macro"),
        ("CREATE SCHEMA more; CREATE MACRO more.max(a) AS (SELECT count(*) FROM range(1000000000000))", "it contains the macro"),
        ("CREATE TRIGGER t AFTER INSERT ON operations FOR EACH STATEMENT INSERT INTO ingest_report FROM ingest_report", "the trigger 't'"),
        ("CREATE INDEX i ON operations(name)", "it contains the index 'i'"),
        ("CREATE SEQUENCE q", "it contains the sequence 'q'"),
        ("CREATE SCHEMA more", "it contains the schema 'more'"),
        ('CREATE TABLE "data.spans" (a INTEGER)', "its relation data.spans is different"),
        ("DROP TABLE data.about; CREATE VIEW data.about AS SELECT range AS format_version FROM range(1000000000000)", "different"),
        ("DROP TABLE data.about; CREATE TABLE data.about(a INT, format_version AS (len(range(1000000000000))))", "different"),
        (f"COMMENT ON TABLE requests IS '{'x' * 50_000_000}'", "it contains a very long comment on 'requests'"),
        (f"COMMENT ON VIEW spans IS '{'x' * (LONGEST_COMMENT + 1)}'", "it contains a very long comment on 'spans'"),
    ],
)  # fmt: skip
def test_a_file_that_holds_anything_else_is_refused_by_a_sentence(tmp_path: Path, statement: str, said: str) -> None:
    path = changed(tmp_path / "d.duckdb", statement)
    with pytest.raises(OverbudgetError, match=said):
        open_dataset(path)
    with duckdb.connect(str(path)):  # nothing holds the file
        pass


def test_a_comment_at_the_longest_is_no_reason(tmp_path: Path) -> None:
    open_dataset(changed(tmp_path / "d.duckdb", f"COMMENT ON TABLE requests IS '{'x' * LONGEST_COMMENT}'")).close()


def test_a_file_that_is_cut_or_flipped_anywhere_is_refused_by_a_sentence_or_read(tmp_path: Path) -> None:
    ingest([SAMPLES / "healthy.otlp.jsonl.gz"], tmp_path / "d.duckdb")
    whole, path = (tmp_path / "d.duckdb").read_bytes(), tmp_path / "damaged.duckdb"
    damaged = [whole[: len(whole) * share // 10] for share in range(10)]
    for at in [*range(0, 20_000, 997), *range(20_000, len(whole), len(whole) // 30)]:
        damaged.append(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
    for content in damaged:
        path.write_bytes(content)
        try:
            open_dataset(path).close()
        except OverbudgetError as error:
            assert str(path) in str(error)
