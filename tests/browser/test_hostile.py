"""Names from a dump are somebody else's words: no page may run, load or be torn by them."""

import gzip
import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from overbudget.app.server.workspace import SAMPLES
from tests.browser.conftest import opened, upload_and_open
from tests.browser.test_pages import PAGES, WAIT

pytestmark = pytest.mark.browser

SCRIPT = "<script>window.pwned=1</script><img src=http://evil.invalid/a.png onerror=window.pwned=1>"
MARKDOWN = "![see](http://evil.invalid/b.png) **bold** `code` $x$ :smile: [link](javascript:window.pwned=1)"
FORMULA = "=cmd()|'/C calc'!A0"
BACKWARDS = "🔥 \u202egnorw\u202c\n\tעברית\u0007"
LONG = "x" * 100_000
NAMES = {  # as they stand in the dump, and what stands there instead
    '"SELECT docs"': SCRIPT,
    '"retriever"': MARKDOWN,
    '"POST /chat"': FORMULA,
    '"steady-8b"': BACKWARDS,
    '"build_prompt"': LONG,
    '"guard_output"': SCRIPT + MARKDOWN,
}
LOST = {  # a span without its parent, so that Trace health has something to say of it
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": MARKDOWN}}]},
            "scopeSpans": [
                {
                    "spans": [
                        {
                            "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174",
                            "parentSpanId": "eee19b7ec3c1b175", "name": SCRIPT, "kind": 2,
                            "startTimeUnixNano": "1544712660000000000", "endTimeUnixNano": "1544712661000000000",
                        }
                    ]
                }
            ],
        }
    ]
}  # fmt: skip


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    text = gzip.decompress((SAMPLES / "slow_database_tenant.otlp.jsonl.gz").read_bytes()).decode()
    for name, hostile in NAMES.items():
        assert name in text
        text = text.replace(name, json.dumps(hostile))
    path = tmp_path_factory.mktemp("hostile") / "hostile.jsonl"
    path.write_text(text + json.dumps(LOST) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def uploaded(dump: Path, browser: Browser, server: str) -> str:
    with opened(browser, server) as page:
        upload_and_open(page, dump, WAIT)
    return "dataset=hostile"


@pytest.mark.parametrize("name", PAGES)
def test_hostile_names_do_no_harm(name: str, uploaded: str, page: Page) -> None:
    page.goto(f"/{name}?{uploaded}")
    page.locator(".ob-head").first.wait_for(timeout=WAIT)
    page.wait_for_timeout(1200)
    for opener in page.locator("details summary").all()[:6]:
        opener.click()
    page.wait_for_timeout(500)
    assert page.evaluate("window.pwned") is None
    assert page.locator("img[src*=evil], a[href*=javascript], main script").count() == 0
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 1442


def test_a_hostile_span_is_shown_as_it_is_named(uploaded: str, page: Page) -> None:
    page.goto(f"/waterfall?{uploaded}")
    page.locator("[data-ready=waterfall]").wait_for(timeout=WAIT)
    search = page.get_by_role("searchbox")
    search.fill("![see]")
    view = page.locator(".ob-view")
    expect(page.locator(".ob-said")).to_contain_text("found")
    view.focus()
    page.keyboard.press("Enter")
    heading = page.locator("h3").filter(has_text="![see](http://evil.invalid/b.png) **bold**")
    heading.wait_for(timeout=WAIT)
    assert page.evaluate("window.pwned") is None


def test_a_spreadsheet_finds_no_formula_in_the_answer(uploaded: str, page: Page, tmp_path: Path) -> None:
    page.goto(f"/sql?{uploaded}&query=SELECT DISTINCT route FROM requests ORDER BY 1 DESC")
    page.get_by_role("button", name="Run").click()
    page.get_by_text("2 rows").wait_for(timeout=WAIT)
    with page.expect_download(timeout=WAIT) as download:
        page.get_by_role("button", name="CSV").click()
    download.value.save_as(tmp_path / "answer.csv")
    assert (tmp_path / "answer.csv").read_text().splitlines()[1].startswith("'=cmd()")
    page.get_by_test_id("stDataFrame").first.hover()  # Streamlit's own button would leave it a formula
    for button in page.locator("button[aria-label^='Download as CSV']").all():
        assert not button.is_visible()
