"""What a person does: drop a dump, see the culprit, open the waterfall. In a real Chromium."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from overbudget.app.server.workspace import SAMPLES
from tests.browser.conftest import again, opened, served, type_cap, upload_and_open

pytestmark = pytest.mark.browser


def test_the_first_screen_of_a_new_workspace_names_the_culprit_of_a_sample(browser: Browser, tmp_path: Path) -> None:
    with served(tmp_path) as url, opened(browser, url) as page:
        page.goto("/")
        headline = page.locator("[data-ready=review]")
        headline.wait_for(timeout=60_000)
        assert "over its cap of" in headline.inner_text()
        assert "SELECT docs" in headline.inner_text()
        page.locator("td.over").first.wait_for(timeout=30_000)
        assert "▲" in page.locator("td.over").first.inner_text()


def test_a_dropped_dump_leads_to_its_culprit_and_its_waterfall(page: Page) -> None:
    upload_and_open(page, SAMPLES / "tools_in_a_row.otlp.jsonl.gz")
    headline = page.locator("[data-ready=review]")
    assert "p95 is" in headline.inner_text()
    assert "dataset=tools_in_a_row" in page.url

    page.get_by_role("link", name="Waterfall").click()
    waterfall = page.locator(".ob-waterfall[data-ready=waterfall]")
    waterfall.wait_for(timeout=60_000)
    assert int(waterfall.get_attribute("data-spans") or 0) == 29
    canvas = page.locator(".ob-view canvas")
    assert 100 < (canvas.bounding_box() or {})["height"] < 2_000
    canvas.click(position={"x": 120, "y": 60})
    page.get_by_text("Choose a span to see").wait_for(state="hidden", timeout=30_000)
    page.get_by_role("heading", name="gateway").wait_for(timeout=30_000)
    assert "trace=" in page.url


def test_caps_are_typed_into_the_grid_and_undone(page: Page) -> None:
    page.goto("/?dataset=sample-slow_database_tenant")
    page.locator("[data-ready=review]").wait_for(timeout=60_000)
    over = page.locator("tr.total td.over")
    over.first.wait_for(timeout=60_000)
    assert over.count() == 1
    page.get_by_text("Set the budget").click()
    grid = page.locator("[data-testid=stDataFrame]").first
    again(page, lambda: type_cap(page, grid, 0.25, "1ms"), over.nth(1).is_visible)  # p50
    page.get_by_role("button", name="Undo").press("Enter")  # charts that are being drawn move it under a mouse
    over.nth(1).wait_for(state="hidden", timeout=30_000)


def test_a_file_that_is_no_dump_is_refused_in_words(page: Page, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("these are notes, not traces")
    page.goto("/datasets")
    page.locator(".ob-upload input").set_input_files(tmp_path / "notes.txt")
    page.get_by_text("not a dump of traces").wait_for(timeout=60_000)
