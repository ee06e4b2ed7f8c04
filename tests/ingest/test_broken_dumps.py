"""A broken dump gives one readable sentence and leaves nothing behind; what can be read of it is read."""

import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from app.workspace import SAMPLES
from ingest.oddities import ODDITIES
from ingest.pipeline import IngestResult, ingest
from store.errors import OverbudgetError

SPAN = {
    "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "work",
    "startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000001000000000",
}  # fmt: skip


def record(*spans: dict[str, object]) -> str:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    return json.dumps(
        {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "lib"}, "spans": list(spans)}]}]}
    )


GOOD = record(SPAN)
SAMPLE = (SAMPLES / "healthy.otlp.jsonl.gz").read_bytes()
LOGS = '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1"}]}]}]}'

BROKEN: dict[str, bytes] = {
    "empty": b"",
    "white space": b" \n\n",
    "not JSON": b"these are notes",
    "a table": b"a,b,c,d\n1,2,3,4\n",
    "html": b"<html><body>sign in</body></html>",
    "binary": bytes(range(256)) * 20,
    "cut off before the first span": GOOD[:150].encode(),
    "wrong types": b'{"resourceSpans": {"scopeSpans": 3}}',
    "a number": b"[1, 2, 3]",
    "no spans": b'{"resourceSpans": []}',
    "only logs": LOGS.encode(),
    "absurd depth": b'{"resourceSpans":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "absurd numbers": record({**SPAN, "startTimeUnixNano": 10**40, "endTimeUnixNano": 10**41}).encode(),
    "ids of the wrong length": record({**SPAN, "traceId": "abc"}).encode(),
    "ids that are not hexadecimal": record({**SPAN, "spanId": "zzzzzzzzzzzzzzzz"}).encode(),
    "a gzip that ends before its first byte": SAMPLE[:20],
    "a damaged gzip": SAMPLE[:10] + b"\xff" * 200,
    "a zip of nothing": b"PK\x05\x06" + b"\0" * 18,
    "an answer that is an error": b'{"error": {"message": "trace not found"}}',
    "phoenix": b'[{"name": "a", "context": {"trace_id": "x", "span_id": "y"}, "span_kind": "LLM", "start_time": "2024"}]',
    "openinference lines": b'{"name": "a", "attributes": {"openinference.span.kind": "LLM"}, "start_time": 1}\n' * 2,
    "parquet": b"PAR1" + b"\0" * 50,
}


def load(tmp_path: Path, data: bytes, name: str = "dump") -> IngestResult:
    (tmp_path / name).write_bytes(data)
    return ingest([tmp_path / name], tmp_path / "out" / "d.duckdb")


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_dump_is_refused_in_a_sentence_and_leaves_nothing_behind(what: str, tmp_path: Path) -> None:
    with pytest.raises(OverbudgetError) as refused:
        load(tmp_path, BROKEN[what])
    said = str(refused.value)
    assert said.endswith(".")
    assert "\n" not in said
    assert 10 < len(said) < 500
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("keep", [0.5, 0.9, 0.999])
def test_a_gzip_that_ends_early_keeps_what_came_before(keep: float, tmp_path: Path) -> None:
    result = load(tmp_path, SAMPLE[: int(len(SAMPLE) * keep)])
    assert 0.3 * keep * 12_180 < result.spans < 12_180
    assert "cut_off" in result.files[0].warnings


def test_one_object_that_is_cut_off_keeps_its_complete_spans(tmp_path: Path) -> None:
    whole = record(*({**SPAN, "spanId": f"{n:016x}"} for n in range(1, 101)))
    result = load(tmp_path, whole[: len(whole) // 2].encode())
    assert 40 < result.spans < 60
    assert result.files[0].warnings["cut_off"].count == 1


def test_a_bad_line_between_good_ones_is_reported_and_the_rest_kept(tmp_path: Path) -> None:
    other = record({**SPAN, "spanId": "00000000000000ff"})
    result = load(tmp_path, f"{GOOD}\n{{broken\n{LOGS}\n{other}\n".encode())
    assert result.spans == 2
    assert {code: oddity.count for code, oddity in result.files[0].warnings.items()} == {
        "unreadable_record": 1,
        "other_signals": 1,
    }


def test_spans_that_cannot_be_kept_are_counted_with_an_example(tmp_path: Path) -> None:
    bad = {**SPAN, "spanId": "00000000000000aa", "startTimeUnixNano": "yesterday", "name": "odd"}
    result = load(tmp_path, record(SPAN, bad, {**SPAN, "spanId": ""}).encode())
    assert (result.spans, result.files[0].rejected) == (1, 2)
    assert "odd" in result.files[0].warnings["bad_time"].example


def test_spans_sent_twice_are_stored_once_and_conflicts_counted(tmp_path: Path) -> None:
    later = {**SPAN, "endTimeUnixNano": "1700000002000000000"}
    result = load(tmp_path, f"{GOOD}\n{GOOD}\n{record(later)}\n".encode())
    assert (result.spans, result.files[0].duplicates) == (1, 2)
    assert result.files[0].warnings["conflicting_duplicate"].count == 2


def test_archives_are_read_and_what_is_no_dump_in_them_is_passed_over(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a/traces.json", GOOD)
        archive.writestr("README.md", "read me")
        archive.writestr("more.gz", gzip.compress(record({**SPAN, "spanId": "00000000000000bb"}).encode()))
    result = load(tmp_path, packed.getvalue())
    assert result.spans == 2
    assert result.files[0].warnings["not_a_dump"].count == 1
    tarred = io.BytesIO()
    with tarfile.open(fileobj=tarred, mode="w:gz") as tar:
        info = tarfile.TarInfo("traces.jsonl")
        info.size = len(GOOD)
        tar.addfile(info, io.BytesIO(GOOD.encode()))
    assert load(tmp_path, tarred.getvalue()).spans == 1


def test_a_folder_is_read_and_what_is_no_dump_in_it_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.json").write_text(GOOD)
    (tmp_path / "in" / "notes.txt").write_text("notes")
    assert ingest([tmp_path / "in"], tmp_path / "d.duckdb").spans == 1


def test_every_code_that_is_reported_has_a_meaning() -> None:
    import re

    root = Path(__file__).parents[2] / "ingest"
    codes = set()
    for path in root.glob("*.py"):
        text = path.read_text()
        codes |= set(re.findall(r'(?:warn|reject|note)\(\s*"(\w+)"', text)) | set(
            re.findall(r'Unusable\("(\w+)"', text)
        )
    assert codes
    assert codes <= set(ODDITIES)
