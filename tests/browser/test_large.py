"""Large things stay usable: a trace of 50,000 spans, and a dump that somebody else is having read."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, Page, expect

from overbudget.sample_traces.scale import write
from tests.browser.conftest import opened, upload_and_open
from tests.browser.test_pages import WAIT
from tests.waiting import until

pytestmark = pytest.mark.browser

TRACE = "a" * 32
SPANS = 50_001
START = 1_790_000_000_000_000_000
STEP = 1_000_000


def agent_run() -> dict[str, object]:
    """An entry span; below it turns of a hundred spans, which call ten tools each, of which each asks nine times."""
    spans = [span(1, 0, "POST /agent", 0, (SPANS - 1) * STEP, 2)]
    for number in range(2, SPANS + 1):
        place = number - 2
        turn, within = divmod(place, 100)
        tool, ask = divmod(within - 1, 10) if within else (0, 0)
        if within == 0:
            spans.append(span(number, 1, f"turn {turn}", place * STEP, (place + 99) * STEP))
        elif ask == 0:
            spans.append(span(number, 2 + turn * 100, f"execute_tool {tool}", place * STEP, (place + 9) * STEP))
        else:
            spans.append(span(number, 2 + turn * 100 + 1 + tool * 10, "ask", place * STEP, (place + 1) * STEP, 3))
    service = {"attributes": [{"key": "service.name", "value": {"stringValue": "agent"}}]}
    return {"resourceSpans": [{"resource": service, "scopeSpans": [{"spans": spans}]}]}


def span(number: int, parent: int, name: str, start: int, end: int, kind: int = 1) -> dict[str, object]:
    return {
        "traceId": TRACE, "spanId": f"{number:016x}", "parentSpanId": f"{parent:016x}" if parent else "", "name": name,
        "kind": kind, "startTimeUnixNano": str(START + start), "endTimeUnixNano": str(START + end),
    }  # fmt: skip


def test_a_trace_of_50_000_spans_is_drawn_row_by_row(page: Page, tmp_path: Path) -> None:
    (tmp_path / "agent.json").write_text(json.dumps(agent_run()))
    upload_and_open(page, tmp_path / "agent.json", WAIT)
    page.get_by_role("link", name="Waterfall").click()
    waterfall = page.locator("[data-ready=waterfall]")
    waterfall.wait_for(timeout=WAIT)
    assert waterfall.get_attribute("data-spans") == str(SPANS)
    page.get_by_role("button", name="Expand all").click()
    expect(page.locator(".ob-said")).to_have_text("50,001 spans")
    assert (page.locator(".ob-view canvas").bounding_box() or {})["height"] < 2_000
    view = page.locator(".ob-view")
    view.focus()
    page.keyboard.press("End")
    page.wait_for_timeout(300)
    assert view.evaluate("view => view.scrollTop + view.clientHeight >= view.scrollHeight - 2")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="agent: ask").wait_for(timeout=WAIT)


def readers(dump: str) -> list[psutil.Process]:
    """The processes that read an upload of this name for a server of ours."""
    found = []
    for one in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it has ended
            found += [one] if any(part.endswith(f"/{dump}") for part in one.cmdline()) else []
    return found


@contextmanager
def held(dump: str) -> Iterator[None]:
    """Inside, the reading of `dump` stands still: however slow the machine is, it does not end meanwhile."""
    until(lambda: bool(readers(dump)), "it is read, in a process of its own")
    for _ in range(2):  # one that has been started meanwhile too; those that stand start none
        for one in readers(dump):
            one.suspend()
    try:
        yield
    finally:
        for one in readers(dump):
            one.resume()


def test_pages_answer_while_somebody_elses_dump_is_read(
    page: Page, browser: Browser, server: str, tmp_path: Path
) -> None:
    dump = tmp_path / "large.jsonl"
    write(dump, 200_000, "json")
    dump.write_bytes(dump.read_bytes().replace(b'"traceId"', b'"trace_id"'))  # a dialect that takes long to read
    page.goto("/?dataset=sample-erratic_big_model")
    page.locator("[data-ready=review]").wait_for(timeout=WAIT)
    with opened(browser, server) as third:
        third.goto("/datasets")
        third.locator(".ob-upload input").set_input_files(dump)
        with held(dump.name):
            cancel = third.get_by_role("button", name="Cancel")
            third.get_by_text(re.compile("(Beginning to read|Reading) large.jsonl")).wait_for(timeout=WAIT)
            page.get_by_role("link", name="Tail").click()
            page.locator("[data-ready=tail]").wait_for(timeout=WAIT)
            page.reload()
            page.get_by_role("combobox", name="Dataset").click()
            assert page.get_by_role("option", name="large").count() == 0
            cancel.click()
            third.get_by_text("Stopping to read large.jsonl").wait_for(timeout=WAIT)  # asked to, and has not yet
            expect(cancel).to_have_count(0)
        third.get_by_text("large.jsonl: cancelled").wait_for(timeout=WAIT)
