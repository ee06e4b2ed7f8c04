"""make torture: what a few of its cases hold, and that it tells when something is lost."""

import random

import pytest

from overbudget.store.errors import OverbudgetError
from scripts.torture import documents, ingests
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
