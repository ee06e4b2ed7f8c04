"""The Datasets page lists what a workspace has without reading it."""

from pathlib import Path

import pytest

from overbudget.app.server import listing
from overbudget.app.server.workspace import SAMPLES
from overbudget.ingest.pipeline import ingest
from overbudget.store.errors import OverbudgetError
from tests.app.test_pages import html, page


def test_a_hundred_datasets_are_listed_and_none_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ingest([SAMPLES / "healthy.otlp.jsonl.gz"], tmp_path / "d000.duckdb")
    for number in range(1, 100):
        (tmp_path / f"d{number:03}.duckdb").hardlink_to(tmp_path / "d000.duckdb")
    listing.Listing(tmp_path).fill()

    def opened(*_: object) -> None:
        raise OverbudgetError("A dataset was opened to list it.")

    monkeypatch.setattr(listing, "open_dataset", opened)
    monkeypatch.setattr("overbudget.app.dashboard.cache.open_dataset", opened)
    shown = page(tmp_path, monkeypatch, "datasets")
    assert not shown.exception
    # the review, shown before it, opened the first
    assert html(shown).count("spans in 420 requests") == html(shown).count('class="ob-part"') == 100


def test_what_is_folded_away_is_shown_when_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ingest([SAMPLES / "healthy.otlp.jsonl.gz"], tmp_path / "one.duckdb")
    shown = page(tmp_path, monkeypatch, "datasets")
    assert not shown.dataframe
    shown.session_state["fold one"] = True
    shown.run()
    assert not shown.exception
    assert list(shown.dataframe[0].value["spans"]) != []
    assert "Rename" in [button.label for button in shown.button]
