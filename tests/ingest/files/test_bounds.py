"""What a compressed dump may unpack to is bounded, by the bytes that come out of all its layers."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from overbudget.ingest.files import bounds
from overbudget.ingest.files.source import zstd
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError
from overbudget.store.limits import VARIABLE

SPAN = (
    b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"%016x",'
    b'"name":"x","startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712661000000000"}]}]}]}\n'
)
DOCUMENT = SPAN % 1
BOMB = DOCUMENT + b"\n" * 4_000_000


def zipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("first.jsonl", DOCUMENT)
        archive.writestr("a.jsonl", content)
    return file.getvalue()


def tarred(content: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        entry = tarfile.TarInfo("a.jsonl")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return file.getvalue()


FORMS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstd.compress,
    "zip": zipped,
    "tar": tarred,
    "gzip in gzip": lambda content: gzip.compress(gzip.compress(content)),
    "gzip in zip": lambda content: zipped(gzip.compress(content)),
}


@pytest.fixture(autouse=True)
def low(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "ALWAYS", 1_000_000)


@pytest.mark.parametrize("form", FORMS)
def test_a_bomb_is_refused_whatever_it_is_packed_in(form: str, tmp_path: Path) -> None:
    (tmp_path / "bomb").write_bytes(FORMS[form](BOMB))
    with pytest.raises(
        OverbudgetError, match=r"bomb unpacks to more than 100 times its size \(the limit unpacked_ratio"
    ):
        ingest([tmp_path / "bomb"], tmp_path / "d.duckdb")
    assert [path.name for path in tmp_path.iterdir()] == ["bomb"]


@pytest.mark.parametrize("form", FORMS)
def test_what_is_no_bomb_is_read(form: str, tmp_path: Path) -> None:
    (tmp_path / "dump").write_bytes(FORMS[form](DOCUMENT + b"\n" * 100_000))
    ingest([tmp_path / "dump"], tmp_path / "d.duckdb")
    assert open_dataset(tmp_path / "d.duckdb").execute("SELECT count(*) FROM spans").fetchall() == [(1,)]


def test_bytes_are_bounded_whatever_the_ratio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE + "UNPACKED_RATIO", "1000000")
    monkeypatch.setenv(VARIABLE + "UNPACKED_BYTES", "3MB")
    (tmp_path / "bomb").write_bytes(gzip.compress(BOMB))
    with pytest.raises(OverbudgetError, match="unpacks to more than 3 MB"):
        ingest([tmp_path / "bomb"], tmp_path / "d.duckdb")


@pytest.mark.parametrize(("most", "kept"), [("2", False), ("3", True)])
def test_spans_are_bounded(most: str, kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE + "SPANS", most)
    (tmp_path / "dump").write_bytes(b"".join(SPAN % number for number in (1, 2, 3)))
    if kept:
        ingest([tmp_path / "dump"], tmp_path / "d.duckdb")
        return
    with pytest.raises(OverbudgetError, match=r"too many spans in .*the limit spans is 2"):
        ingest([tmp_path / "dump"], tmp_path / "d.duckdb")


def test_millions_of_empty_objects_are_no_traces_and_cost_no_memory(tmp_path: Path) -> None:
    spans = DOCUMENT.rstrip().replace(b"}]}]}]}", b"}" + b",{}" * 5_000_000 + b"]}]}]}")
    (tmp_path / "bomb.json").write_bytes(spans)
    try:
        report = ingest([tmp_path / "bomb.json"], tmp_path / "d.duckdb").files[0]
        assert report.warnings["unreadable_record"].count >= 1
    except OverbudgetError as error:
        assert "are no traces" in str(error)
