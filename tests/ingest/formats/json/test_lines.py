"""Lines that may hold a record are told from those that cannot, however many and however short they are."""

import random

from hypothesis import given
from hypothesis import strategies as st

from overbudget.ingest.formats.json.dialects import records
from overbudget.ingest.formats.json.lines import lines_with_objects, other_lines
from overbudget.ingest.report import FileReport

RECORD = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174"}]}]}]}'


@given(st.lists(st.sampled_from([b"", b" ", b"\t{", b"{}", b" [1]", b"x", b"\0", b"{\r", b"\r", b" \xc3\xa9 {"])))
def test_every_line_is_one_of_three_kinds(lines: list[bytes]) -> None:
    piece = b"\n".join(lines)
    objects = [line.lstrip() for line in lines if line.strip().startswith(b"{")]
    others = [line.lstrip() for line in lines if line.strip() and not line.strip().startswith(b"{")]
    assert list(lines_with_objects(piece)) == objects
    assert other_lines(piece) == (others[0] if others else b"", len(others))


def test_a_million_lines_that_are_no_records_are_counted_and_the_record_between_them_is_read() -> None:
    draw = random.Random(1)
    lines = [draw.choice([b"a,b", b"[]", b"\0", b"5"]) for _ in range(1_000_000)]
    lines[500_000] = RECORD
    report = FileReport("dump")
    found = list(records(b"\n".join(lines), report))
    assert len(found) == 1
    assert report.warnings["unreadable_record"].count == 999_999


def test_the_example_says_what_the_first_of_them_is() -> None:
    for line, said in (
        (b"[1]", "a JSON list where an object should be"),
        (b"nope", "near nope"),
        (b"5", "a JSON int where"),
    ):
        report = FileReport("dump")
        assert list(records(line + b"\n" + RECORD, report))
        assert said in report.warnings["unreadable_record"].example
