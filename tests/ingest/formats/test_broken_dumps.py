"""A broken dump gives one readable sentence and leaves nothing behind; what can be read of it is read."""

import base64
import gzip
import hashlib
import io
import json
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from overbudget.app.server.workspace import SAMPLES
from overbudget.ingest.files.source import zstd
from overbudget.ingest.formats.json import framing, scanner
from overbudget.ingest.formats.json.dialects import records
from overbudget.ingest.formats.json.rows import columns_of
from overbudget.ingest.formats.kernel_reader import batch_of_columns
from overbudget.ingest.formats.protobuf.wire import as_varint
from overbudget.ingest.pipeline import IngestResult, ingest
from overbudget.ingest.report import FileReport
from overbudget.ingest.warnings import WARNINGS
from overbudget.store.errors import OverbudgetError

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
    "ids that are no text": record({**SPAN, "traceId": 5}).encode(),
    "no ids": record({**SPAN, "traceId": ""}).encode(),
    "no start": record({**SPAN, "startTimeUnixNano": "0"}).encode(),
    "a gzip that ends before its first byte": SAMPLE[:20],
    "a damaged gzip": SAMPLE[:10] + b"\xff" * 200,
    "a zip of nothing": b"PK\x05\x06" + b"\0" * 18,
    "an answer that is an error": b'{"error": {"message": "trace not found"}}',
    "phoenix without a time": b'[{"name": "a", "context": {"trace_id": "x", "span_id": "y"}, "span_kind": "LLM", "start_time": null}]',
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
    assert {code: warning.count for code, warning in result.files[0].warnings.items()} == {
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

    root = Path(__file__).parents[3] / "ingest"
    codes = set()
    for path in root.rglob("*.py"):
        text = path.read_text()
        codes |= set(re.findall(r'(?:warn|reject|note)\(\s*"(\w+)"', text)) | set(
            re.findall(r'Unusable\("(\w+)"', text)
        )
    assert codes
    assert codes <= set(WARNINGS)


MANY = [{**SPAN, "spanId": f"{n:016x}"} for n in range(1, 101)]


def protobuf(*records: str) -> list[bytes]:
    """OTLP/JSON records as protobuf messages; protobuf's own mapping has ids in base64."""

    def base64_ids(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {key: base64_ids(one, key) for key, one in value.items()}
        if isinstance(value, list):
            return [base64_ids(one) for one in value]
        return base64.b64encode(bytes.fromhex(value)).decode() if key in ("traceId", "spanId") else value

    return [json_format.ParseDict(base64_ids(json.loads(text)), TracesData()).SerializeToString() for text in records]


@pytest.mark.parametrize("indent", [None, 1], ids=["one line", "pretty-printed"])
@pytest.mark.parametrize("wrong", ["x", '"', "}"])
def test_one_wrong_byte_in_a_large_object_costs_what_comes_after_it_and_not_what_came_before(
    wrong: str, indent: int | None, tmp_path: Path
) -> None:
    text = json.dumps(json.loads(record(*MANY)), indent=indent)
    place = text.index('"spanId": "' + MANY[60]["spanId"])
    result = load(tmp_path, (text[:place] + wrong + text[place:]).encode())
    warnings = result.files[0].warnings
    assert warnings.keys() & {"unreadable_record", "cut_off"}
    if (
        indent and wrong == '"'
    ):  # a text ends with its line: the spans below it are read, and told to have lost their resource
        assert result.spans == 99
        assert warnings["no_service_name"].count == 39
    else:
        assert result.spans == 60


def test_a_message_that_is_cut_off_keeps_its_whole_spans(tmp_path: Path) -> None:
    message = protobuf(record(*MANY))[0]
    for data in (message, struct.pack(">I", len(message)) + message, as_varint(len(message)) + message):
        result = load(tmp_path, data[: len(data) * 3 // 4])
        assert 60 < result.spans < 80
        assert result.files[0].warnings["cut_off"].count == 1


def test_a_span_that_is_wrong_costs_itself_and_not_its_message(tmp_path: Path) -> None:
    message = protobuf(record(*MANY))[0]
    place = message.index(bytes.fromhex(str(MANY[50]["spanId"]))) - 2  # the tag of its span id
    wrong = message[:place] + b"\x13" + message[place + 1 :]
    for data in (wrong, struct.pack(">I", len(wrong)) + wrong):
        result = load(tmp_path, data)
        assert (result.spans, result.files[0].rejected) == (99, 1)
        assert result.files[0].warnings["unreadable_span"].count == 1


def test_a_length_that_is_absurd_costs_no_memory_and_not_what_came_before(tmp_path: Path) -> None:
    messages = protobuf(*(record(span) for span in MANY))
    data = b"".join(struct.pack(">I", len(message)) + message for message in messages)
    result = load(tmp_path, data + b"\xff\xff\xff\xff" + messages[0])
    assert result.spans == 100
    assert result.files[0].warnings


def test_compressed_bytes_that_are_wrong_keep_what_came_before(tmp_path: Path) -> None:
    text = "\n".join(
        record({**SPAN, "spanId": f"{n:016x}", "name": hashlib.sha256(b"%d" % n).hexdigest()}) for n in range(1, 1001)
    )
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("traces.jsonl", text)
    for data in (gzip.compress(text.encode()), zstd.compress(text.encode()), zipped.getvalue()):
        middle = len(data) * 4 // 5
        result = load(tmp_path, data[:middle] + b"\xff" * 40 + data[middle + 40 :])
        assert result.spans > 250
        assert result.files[0].warnings  # zstd tells wrong bytes only where they make no sense


@pytest.mark.parametrize(
    "data",
    [SAMPLE[:200] + b"\xff" * 50, zstd.compress(GOOD.encode())[:30], b"PK\x03\x04" + b"\xff" * 200],
    ids=["gzip", "zstd", "zip"],
)
def test_what_cannot_be_unpacked_is_not_called_empty(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(OverbudgetError, match=r"cannot be read: .*(gzip|zstd|zip)|ends before its first span"):
        load(tmp_path, data)


def test_an_example_from_a_dump_stays_on_one_line_and_tells_the_terminal_nothing(tmp_path: Path) -> None:
    result = load(tmp_path, f"{GOOD}\n\x1b[2J{{\tno\x07\n".encode())
    example = result.files[0].warnings["unreadable_record"].example
    assert example.isprintable()


def test_what_is_passed_over_in_a_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.json").write_text(GOOD)
    (tmp_path / "in" / "notes.txt").write_text("notes")
    passed = ingest([tmp_path / "in"], tmp_path / "d.duckdb").files[1]
    assert (Path(passed.source).name, passed.spans) == ("notes.txt", 0)
    assert "is text" in passed.warnings["not_a_dump"].example
    assert passed.warnings["not_a_dump"].count == 1


def test_folders_made_for_a_dataset_that_is_not_written_are_gone(tmp_path: Path) -> None:
    (tmp_path / "dump").write_text("notes")
    with pytest.raises(OverbudgetError):
        ingest([tmp_path / "dump"], tmp_path / "new" / "folder" / "d.duckdb")
    assert not (tmp_path / "new").exists()


def test_a_target_that_is_a_folder_or_no_dataset_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "dump.json").write_text(GOOD)
    for target in (tmp_path, tmp_path / "dump.json", Path("/dev/null"), tmp_path / ("x" * 300)):
        with pytest.raises(OverbudgetError) as refused:
            ingest([tmp_path / "dump.json"], target)
        assert str(refused.value).endswith(".")
    assert (tmp_path / "dump.json").read_text() == GOOD
    assert [path.name for path in tmp_path.iterdir()] == ["dump.json"]


@pytest.mark.parametrize("number", ["1e400", "1" + "0" * 400, "NaN", "-Infinity"])
def test_an_absurd_number_costs_its_span_and_not_its_record(number: str, tmp_path: Path) -> None:
    other = {**SPAN, "spanId": "00000000000000aa", "startTimeUnixNano": "absurd"}
    result = load(tmp_path, record(other, SPAN).replace('"absurd"', number).encode())
    assert (result.spans, result.files[0].rejected) == (1, 1)
    assert "bad_time" in result.files[0].warnings


def test_zeros_without_end_are_no_dump(tmp_path: Path) -> None:
    with pytest.raises(OverbudgetError, match="zero bytes"):
        load(tmp_path, gzip.compress(b"\0" * (1 << 24)))


def test_text_that_cannot_be_cut_is_not_held_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanner, "LARGEST", 1 << 20)
    monkeypatch.setattr(scanner, "PIECE", 1 << 18)
    monkeypatch.setattr(framing, "PIECE", 1 << 18)
    report = FileReport("dump")
    text = "[" + GOOD + "," + "[" * (3 << 20)
    found = list(framing.pieces(io.BytesIO(text.encode()), report))  # type: ignore[arg-type]
    assert [json.loads(b"".join(piece)) for piece in found] == [json.loads(GOOD)]
    assert "cannot be cut" in report.warnings["unreadable_record"].example


WRONG = [5, "x", [], {}, True, None, [5], {"a": 1}, [[]], [{"key": 5}]]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_a_wrong_type_anywhere_costs_what_it_spoils_and_never_the_whole(wrong: Any, tmp_path: Path) -> None:
    """At every place of a record in turn, with a sound record beside it."""
    whole = json.loads(record({**SPAN, "attributes": [{"key": "a", "value": {"stringValue": "b"}}], "status": {"code": 1},
                               "events": [{"name": "e", "attributes": []}], "links": [{"traceId": SPAN["traceId"]}],
                               "kind": 1, "traceState": "", "flags": 1, "parentSpanId": ""}))  # fmt: skip
    other = record({**SPAN, "spanId": "00000000000000aa"})
    for path in places(whole):
        changed = json.loads(json.dumps(whole))
        inside = changed
        for step in path[:-1]:
            inside = inside[step]
        inside[path[-1]] = wrong
        report = FileReport("dump")
        found = records(f"{json.dumps(changed)}\n{other}\n".encode(), report)
        read = batch_of_columns(columns_of(one for resource_spans in found for one in resource_spans), report)
        assert "00000000000000aa" in read.spans["span_id"].to_pylist()


def places(value: Any) -> list[tuple[Any, ...]]:
    """The path to every value within a JSON document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(step, *rest) for step, one in inner for rest in [(), *places(one)]]


def test_a_message_of_millions_of_empty_spans_is_given_up_and_what_came_before_is_kept(tmp_path: Path) -> None:
    (sound,) = protobuf(record(*MANY))
    empty = 5_000_000 * b"\x12\x00"
    scope = b"\x12" + as_varint(20 * len(empty)) + empty  # a scope of which the rest is not there
    result = load(tmp_path, sound + b"\x0a" + as_varint(20 * len(empty) + 7) + scope)
    assert result.spans == 100
    assert "fields of fewer than" in result.files[0].warnings["unreadable_record"].example


@pytest.mark.parametrize(
    ("framing", "byte"), [("lines", b"\0"), ("lines", b"\n"), ("length", b"\0"), ("varint", b"\0")]
)
def test_zeros_or_blank_lines_between_records_cost_nothing(framing: str, byte: bytes, tmp_path: Path) -> None:
    """A file that was made longer than what is in it is read as if it was not."""
    first, second = record(SPAN), record({**SPAN, "spanId": "00000000000000bb"})
    if framing == "lines":
        parts = [first.encode() + b"\n", b"\n" + second.encode() + b"\n"]
    else:
        prefix = as_varint if framing == "varint" else lambda size: struct.pack(">I", size)
        parts = [prefix(len(message)) + message for message in protobuf(first, second)]
    for size in (4, 40 << 20):
        result = load(tmp_path, parts[0] + byte * size + parts[1])
        assert result.spans == 2


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_a_zip_archive_packs_without_a_bound_is_passed_over(method: int, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("bomb.json", b"\0" * (64 << 20), method)
        archive.writestr("traces.json", GOOD)
    result = load(tmp_path, packed.getvalue())
    assert result.spans == 1
    assert "bomb.json in the zip archive is packed by a method" in result.files[0].warnings["not_a_dump"].example
    with zipfile.ZipFile(packed := io.BytesIO(), "w", method) as archive:
        archive.writestr("traces.json", GOOD)
    with pytest.raises(
        OverbudgetError, match=r"traces\.json in the zip archive is packed by a method that is not read"
    ):
        load(tmp_path, packed.getvalue(), "alone")
