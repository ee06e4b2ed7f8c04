"""The panel that makes limits from one total."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from overbudget.app.server.workspace import SAMPLES
from overbudget.ingest.pipeline import ingest
from tests.app.test_pages import html, page


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    ingest([SAMPLES / "slow_database_tenant.otlp.jsonl.gz"], tmp_path / "sample-slow_database_tenant.duckdb")
    return page(tmp_path, monkeypatch)


def asked(app: AppTest, total: str, fixed: tuple[str, ...] = ()) -> AppTest:
    box = next(one for one in app.text_input if one.label == "Whole request")
    box.set_value(total)
    app.multiselect[0].set_value(list(fixed)) if not fixed else next(
        one for one in app.multiselect if one.label == "Stages that keep their time"
    ).set_value(list(fixed))
    next(one for one in app.button if one.label == "Make limits").click()
    return app.run()


def test_limits_are_made_shown_and_put_into_the_budget(app: AppTest) -> None:
    asked(app, "2s", ("inference",))
    assert not app.exception
    assert "2.00 s at p95 is kept when every stage is held to" in html(app)
    next(one for one in app.button if one.label.startswith("Put these limits")).click()
    app.run()
    assert not app.exception
    written = app.sidebar.text_area[0].value
    assert 'p95 = "2s"' in written
    assert "max = " in written
    assert "# The budget of the sample" in written  # comments stay


def test_what_does_not_fit_is_said_and_not_written(app: AppTest) -> None:
    asked(app, "300ms")
    assert not app.exception
    assert "300 ms at p95 does not fit" in html(app)
    assert not [one for one in app.button if one.label.startswith("Put these limits")]


def test_a_total_that_is_no_duration_is_told(app: AppTest) -> None:
    asked(app, "2")
    assert not app.exception
    assert any("The total has no unit; did you mean 2ms or 2s?" in error.value for error in app.error)
