"""A byte-order mark before any document of a stream is passed over: files that begin with one are joined by `cat`."""

import io
import json
from pathlib import Path

import pytest

from overbudget.ingest.files.source import Dump
from overbudget.ingest.formats.json import framing
from overbudget.ingest.formats.read import read_dump
from overbudget.ingest.report import FileReport
from scripts.torture.records import SOUND

MARK = "\ufeff"


def read(data: bytes, folder: Path) -> tuple[list[str], dict[str, int]]:
    (folder / "dump").write_bytes(data)
    batches = list(read_dump(Dump(str(folder / "dump"), True), report := FileReport("dump")))
    names = [name for batch in batches for name in batch.spans["name"].to_pylist()]
    return sorted(names), {code: warning.count for code, warning in report.warnings.items()}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n", ""], ids=["a line break", "CRLF", "a blank line", "nothing"])
@pytest.mark.parametrize("indent", [None, 2], ids=["lines", "indented"])
@pytest.mark.parametrize("form", ["OTLP", "OTLP without its envelope", "MLflow", "ClickHouse", "Phoenix, a page"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_files_that_begin_with_a_mark_are_read_one_after_another(
    encoding: str, form: str, indent: int | None, end: str, tmp_path: Path
) -> None:
    text = MARK + json.dumps(SOUND[form]().document, indent=indent) + end
    assert read((text * 3).encode(encoding), tmp_path) == (["n1"] * 3 + ["n2"] * 3 + ["n3"] * 3, {})


def test_rows_in_lines_with_marks_between_them_are_read(tmp_path: Path) -> None:
    rows = [json.dumps(row) for row in SOUND["ClickHouse"]().document["data"]]
    assert read(f"{MARK}{rows[0]}\n{rows[1]}\n{MARK}{rows[2]}\n".encode(), tmp_path) == (["n1", "n2", "n3"], {})


def test_a_mark_within_a_text_stays(tmp_path: Path) -> None:
    text = json.dumps(SOUND["OTLP"]().document).replace("n2", f"}}{MARK}{{", 1)
    text = text.encode("unicode_escape").decode().replace("\\ufeff", MARK)
    for data in (text, text.replace('"resourceSpans":', '\n"resourceSpans":', 1)):
        assert read(data.encode(), tmp_path) == (["n1", "n3", f"}}{MARK}{{"], {})


def test_a_mark_is_found_wherever_the_stream_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    line = b'{"resourceSpans": []}\n'
    data = (MARK.encode() + line) * 4
    for size in range(4, 60):
        monkeypatch.setattr(framing, "PIECE", size)
        report = FileReport("dump")
        pieces = framing.pieces(io.BytesIO(data), report)  # type: ignore[arg-type]
        assert b"".join(b"".join(piece) for piece in pieces).split() == (line * 4).split(), size
        assert report.warnings == {}, size
