"""What cannot be read in a protobuf message costs itself: an attribute its value, an event or a link itself, and no span."""

import random
import struct
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from overbudget.ingest.files.source import Dump
from overbudget.ingest.formats.protobuf.wire import as_varint, field_of
from overbudget.ingest.formats.read import read_dump
from overbudget.ingest.report import FileReport

T = 1_764_000_000_000_000_000


def span(number: int) -> bytes:
    """A sound span with a sound attribute, event and link."""
    made = Span(trace_id=bytes(15) + b"\1", span_id=bytes(7) + bytes([number]), name="n", start_time_unix_nano=T)
    made.end_time_unix_nano = T + number
    made.attributes.add(key="sound").value.string_value = "value"
    made.events.add(name="e", time_unix_nano=T)
    made.links.add(trace_id=bytes(15) + b"\2", span_id=bytes(7) + b"\2")
    return made.SerializeToString()


def dump(path: Path, spans: list[bytes], resource: bytes = b"", scope: bytes = b"") -> Path:
    """One length-prefixed message, whose spans are in one scope."""
    scope_spans = field_of(1, scope) + b"".join(field_of(2, one) for one in spans)
    message = field_of(1, field_of(1, resource) + field_of(2, scope_spans))
    path.write_bytes(struct.pack(">I", len(message)) + message)
    return path


def read(path: Path) -> tuple[list[dict[str, object]], FileReport, int, int]:
    """The spans, what was reported, and how many events and links there are."""
    report = FileReport("dump")
    batches = list(read_dump(Dump(str(path), True), report))
    spans = [row for batch in batches for row in batch.spans.to_pylist()]
    return spans, report, sum(b.events.num_rows for b in batches), sum(b.links.num_rows for b in batches)


def nested(levels: int) -> bytes:
    """An AnyValue that is a list in a list …, as bytes, with a number inside."""
    value = b"\x18\x05"
    for _ in range(levels):
        value = field_of(5, field_of(1, value))
    return value


BROKEN = b"\x0a\xff\x01x"  # a field that reaches beyond its message
WRONG = {
    "a value that is no message": (field_of(9, field_of(1, b"k") + field_of(2, BROKEN)), "unreadable_attribute", 1, 1),
    "a list that is no message": (field_of(9, field_of(1, b"k") + field_of(2, field_of(5, BROKEN))), "unreadable_attribute", 1, 1),
    "a map that is no message": (field_of(9, field_of(1, b"k") + field_of(2, field_of(6, field_of(1, BROKEN)))), "unreadable_attribute", 1, 1),
    "a value of too many levels": (field_of(9, field_of(1, b"k") + field_of(2, nested(60))), "unreadable_attribute", 1, 1),
    "a value of very many levels": (field_of(9, field_of(1, b"k") + field_of(2, nested(5_000))), "unreadable_attribute", 1, 1),
    "an attribute that is no message": (field_of(9, BROKEN), "unreadable_attribute", 1, 1),
    "an event that is no message": (field_of(11, BROKEN), "unreadable_event", 1, 1),
    "a link that is no message": (field_of(13, BROKEN), "unreadable_link", 1, 1),
    "an attribute of an event": (field_of(11, field_of(3, field_of(1, b"k") + field_of(2, BROKEN))), "unreadable_attribute", 2, 1),
    "an attribute of a link": (field_of(13, field_of(4, field_of(1, b"k") + field_of(2, BROKEN))), "unreadable_attribute", 1, 2),
    "a status that is no message": (field_of(15, BROKEN), "unreadable_attribute", 1, 1),
}  # fmt: skip


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_read_costs_itself(what: str, alone: bool, tmp_path: Path) -> None:
    wrong, code, events, links = WRONG[what]
    others = [] if alone else [span(2), span(3)]
    spans, report, events_read, links_read = read(dump(tmp_path / "d", [span(1) + wrong, *others]))
    assert sorted(str(one["span_id"]) for one in spans) == [f"{n:016x}" for n in range(1, 2 if alone else 4)]
    told = {code: warning.count for code, warning in report.warnings.items() if code != "unreadable_record"}
    assert (told, report.rejected) == ({code: 1}, 0)
    assert (events_read, links_read) == (events + len(others), links + len(others))
    (mended,) = [one for one in spans if one["span_id"] == f"{1:016x}"]
    kept = {entry["key"]: entry["value"] for entry in mended["attributes"]}  # type: ignore[attr-defined]
    assert kept["sound"] == "value"


@pytest.mark.parametrize("where", ["resource", "scope"])
def test_an_attribute_around_spans_that_cannot_be_read_costs_itself(where: str, tmp_path: Path) -> None:
    number = {"resource": 1, "scope": 3}[where]
    wrong = field_of(number, field_of(1, b"k") + field_of(2, BROKEN))
    spans, report, *_ = read(dump(tmp_path / "d", [span(1), span(2)], **{where: wrong}))
    assert len(spans) == 2
    assert report.rejected == 0
    assert report.warnings["unreadable_attribute"].count >= 1


def test_as_many_levels_as_protobuf_follows_are_read(tmp_path: Path) -> None:
    for levels, told in ((49, False), (52, True)):
        wrong = field_of(9, field_of(1, b"k") + field_of(2, nested(levels)))
        spans, report, *_ = read(dump(tmp_path / "d", [span(1) + wrong]))
        assert len(spans) == 1
        assert ("unreadable_attribute" in report.warnings) == told


def test_text_that_is_no_utf8_beside_an_attribute_that_cannot_be_read_is_repaired(tmp_path: Path) -> None:
    wrong = field_of(9, field_of(1, b"k") + field_of(2, BROKEN)) + field_of(5, b"n\xff")
    spans, report, *_ = read(dump(tmp_path / "d", [span(1) + wrong]))
    assert [one["name"] for one in spans] == ["n�"]
    assert {"unreadable_attribute", "invalid_utf8"} <= report.warnings.keys()


def test_any_bytes_within_an_attribute_an_event_or_a_link_leave_the_span(tmp_path: Path) -> None:
    draw = random.Random(1)
    for _ in range(150):
        spoilt = bytes(draw.randrange(256) for _ in range(draw.randrange(1, 12)))
        wrong = field_of(draw.choice([9, 11, 13, 15]), spoilt)
        spans, report, *_ = read(dump(tmp_path / "d", [span(1) + wrong, span(2)]))
        assert sorted(str(one["span_id"]) for one in spans) == [f"{1:016x}", f"{2:016x}"], wrong
        assert report.rejected == 0


def test_a_message_that_is_fine_is_not_changed() -> None:
    from overbudget.ingest.formats.protobuf.mend import mended

    data = TracesData()
    data.resource_spans.add().scope_spans.add().spans.add().ParseFromString(span(1))
    report = FileReport("dump")
    assert mended(data.SerializeToString(), report) is None
    assert mended(b"\x0a" + as_varint(300), report) is None
    assert report.warnings == {}
