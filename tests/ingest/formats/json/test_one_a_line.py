"""Documents on several lines after a document on one line are read as the kernel reads them, whatever stands between them."""

import json
from pathlib import Path
from typing import Any

import pytest

from overbudget.ingest.files.source import Dump
from overbudget.ingest.formats.json import framing
from overbudget.ingest.formats.json.one_a_line import one_a_line
from overbudget.ingest.formats.read import read_dump
from overbudget.ingest.report import FileReport


def record(number: int, odd: bool = False) -> dict[str, Any]:
    """A record of one span; an odd one is not for the kernel."""
    key = "trace_id" if odd else "traceId"
    span = {
        key: f"{number:032x}",
        "spanId": f"{number:016x}",
        "name": "{n}\n",
        "startTimeUnixNano": "1764000000000000000",
    }
    return {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"spans": [span]}]}]}


def ids(path: Path) -> tuple[list[int], dict[str, int]]:
    report = FileReport("dump")
    batches = list(read_dump(Dump(str(path), True), report))
    found = [int(one, 16) for batch in batches for one in batch.spans["span_id"].to_pylist()]
    return sorted(found), {code: warning.count for code, warning in report.warnings.items()}


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("indent", [0, 1, 4, "\t"])
def test_after_a_whole_line_indented_documents_are_read(odd: bool, indent: int | str, tmp_path: Path) -> None:
    texts = [json.dumps(record(1))] + [json.dumps(record(number, odd), indent=indent) for number in (2, 3)]
    (tmp_path / "d").write_text("\n".join([*texts, json.dumps(record(4))]) + "\n")
    assert ids(tmp_path / "d") == ([1, 2, 3, 4], {})


@pytest.mark.parametrize("broken", ["{broken", '{"resourceSpans": [{"scopeSpans"', "a line of a log", "]", '{"a": "'])
def test_something_broken_between_them_costs_itself(broken: str, tmp_path: Path) -> None:
    texts = [
        json.dumps(record(1)),
        json.dumps(record(2, True), indent=2),
        broken,
        json.dumps(record(3), indent=2),
        broken,
        json.dumps(record(4)),
    ]
    (tmp_path / "d").write_text("\n".join(texts) + "\n")
    found, warnings = ids(tmp_path / "d")
    assert found == [1, 2, 3, 4]
    assert warnings == {"unreadable_record": 2}


def test_one_span_a_line_without_indentation_is_read(tmp_path: Path) -> None:
    spans = [record(number, True)["resourceSpans"][0]["scopeSpans"][0]["spans"][0] for number in (2, 3)]
    text = '{"resourceSpans":[{"scopeSpans":[{"spans":[\n' + ",\n".join(map(json.dumps, spans)) + "\n]}]}]}"
    (tmp_path / "d").write_text(json.dumps(record(1)) + "\n" + text + "\n")
    assert ids(tmp_path / "d") == ([1, 2, 3], {})


def test_pieces_are_cut_between_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "PIECE", 1_000)
    texts = [json.dumps(record(1))] + [json.dumps(record(number, True), indent=2) for number in range(2, 40)]
    (tmp_path / "d").write_text("\n".join(texts) + "\n")
    assert ids(tmp_path / "d") == (list(range(1, 40)), {})


def test_lines_of_whole_documents_are_left_alone() -> None:
    piece = b'{"a": 1}\n  {"b": {}}\r\n[1]\nnothing\n\n{}'
    assert one_a_line(piece) is piece
