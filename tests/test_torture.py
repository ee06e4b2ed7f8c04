"""make torture: what a few of its cases hold, and that it tells when something is lost."""

import random

import pytest

from overbudget.store.errors import OverbudgetError
from scripts.torture import bombs, documents, faults, ingests, shapes, uploads
from scripts.torture.__main__ import CASES, survived


@pytest.mark.parametrize("name", [name for name in CASES if "readers" in name or "against" in name])
def test_a_hundred_spoilt_documents_are_read_alike(name: str) -> None:
    assert [said for number in range(100) if (said := survived(CASES[name][0], f"{number}"))] == []


def test_a_spoilt_dump_keeps_its_sound_record() -> None:
    assert survived(ingests.spoilt_dump, "1") is None


def test_a_case_that_raises_is_lost() -> None:
    def raising(draw: random.Random) -> str | None:
        raise ValueError(draw.random())

    assert "ValueError" in (survived(raising, "1") or "")


def test_a_difference_between_two_readers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "records", lambda text, report: [])
    assert any("differ" in (survived(documents.json_readers, f"{number}") or "") for number in range(20))


def test_a_dump_that_is_refused_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*given: object) -> None:
        raise OverbudgetError("No.")

    monkeypatch.setattr(ingests, "ingest", refused)
    assert "refused" in (survived(ingests.spoilt_dump, "1") or "")


def test_wrong_values_at_any_place_of_any_shape_leave_the_sound_record() -> None:
    assert [said for number in range(150) if (said := survived(shapes.wrong_shapes, f"{number}"))] == []


def test_a_span_of_a_sound_record_that_is_lost_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = shapes._read
    monkeypatch.setattr(
        shapes, "_read", lambda text: whole(text.split("\n")[0]) if "\n" in text else [*whole(text), "more"]
    )
    assert "spans of a sound record are lost" in (survived(shapes.wrong_shapes, "1") or "")


@pytest.mark.parametrize("kind", bombs.KINDS)
def test_a_bomb_is_as_large_as_it_says(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packed small, and of the kind that is named."""
    draw = random.Random(kind)
    monkeypatch.setattr(bombs, "KINDS", {kind: bombs.KINDS[kind]})
    what, data = bombs.bomb(draw)
    assert what.startswith(kind)
    assert len(data) < 100 << 20


@pytest.mark.skipif(not bombs.Path("/proc/self/statm").exists(), reason="memory is watched on Linux alone")
def test_a_bomb_that_takes_too_much_memory_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    assert survived(bombs.exploded, "1") is None
    monkeypatch.setattr(bombs, "MOST_MEMORY", 1 << 20)
    assert "MB of memory" in (survived(bombs.exploded, "1") or "")


def test_two_uploads_at_once_are_two_datasets(monkeypatch: pytest.MonkeyPatch) -> None:
    assert survived(uploads.uploaded, "1") is None
    monkeypatch.setattr(uploads, "_spans", lambda path: 1)
    assert "became datasets of" in (survived(uploads.uploaded, "1") or "")


def test_what_a_fault_does_wrong_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "_library", lambda: None)
    monkeypatch.setattr(faults, "wrong", lambda *given: ["something is left"])
    assert survived(faults.fault, "1") == "something is left"
