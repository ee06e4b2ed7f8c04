"""Documents of any framing are found whole, wherever the pieces that are read happen to end."""

import json

import pytest

from overbudget.ingest.formats.json import scanner
from overbudget.ingest.formats.json.scanner import Scanner
from overbudget.ingest.report import FileReport

SPANS = [{"spanId": f"{n:016x}", "name": 'a "quoted" } ] name\\', "attributes": [{"key": "k"}]} for n in range(1, 40)]
ONE_DOCUMENT = {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"scope": {}, "spans": SPANS}]}]}


def read(text: bytes, size: int) -> tuple[list[dict[str, object]], FileReport]:
    """The documents of `text` fed in pieces of `size` bytes, and what was reported."""
    report = FileReport("")
    found = Scanner(report)
    lines: list[bytes] = []
    for at in range(0, len(text), size):
        lines += found.feed(text[at : at + size])
    lines += found.end()
    return [json.loads(line) for piece in lines for line in piece.splitlines()], report


def span_ids(documents: list[dict[str, object]]) -> list[str]:
    return [
        span["spanId"]
        for document in documents
        for resource in document["resourceSpans"]  # type: ignore[attr-defined]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_document_that_is_cut_loses_no_span_wherever_a_piece_ends(
    monkeypatch: pytest.MonkeyPatch, indent: int | None
) -> None:
    monkeypatch.setattr(scanner, "PIECE", 300)
    text = json.dumps(ONE_DOCUMENT, indent=indent).encode()
    for size in range(1, 700):
        documents, report = read(text, size)
        assert len(documents) > 3
        assert span_ids(documents) == [span["spanId"] for span in SPANS], size
        assert not report.warnings, size


@pytest.mark.parametrize("around", ["{}", "[{}]", "{} {} {}", "[{},\n{}]", "\n\n{}\n"])
def test_documents_are_found_in_every_framing(around: str) -> None:
    one = '{"a": [1, {"b": "}"}]}'
    text = around.replace("{}", one).encode()
    for size in (1, 2, 7, len(text)):
        documents, report = read(text, size)
        assert documents == [json.loads(one)] * around.count("{}")
        assert not report.warnings


def test_what_is_no_document_is_reported_and_what_follows_is_read() -> None:
    documents, report = read(b'garbage {"a": 1} "text" {"b": 2}', 100)
    assert documents == [{"a": 1}, {"b": 2}]
    assert report.warnings["unreadable_record"].count == 1  # once a piece


def test_a_string_that_is_never_closed_costs_its_own_document_alone() -> None:
    documents, report = read(b'{"a": "never closed\n{"b": 2}\n{"c": 3}', 9)
    assert documents[-2:] == [{"b": 2}, {"c": 3}]
    assert report.warnings["unreadable_record"].count == 1
