"""Each page of the dashboard, headless."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.dashboard.state import WORKSPACE_VARIABLE
from app.workspace import SAMPLES
from ingest.pipeline import ingest

MAIN = Path(__file__).parents[2] / "app" / "dashboard" / "main.py"
HOSTILE = "<script>alert(1)</script>\u202e\n=cmd()"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workspace")
    for name in ("slow_database_tenant", "healthy"):
        ingest([SAMPLES / f"{name}.otlp.jsonl.gz"], folder / f"sample-{name}.duckdb")
    return folder


def page(workspace: Path, monkeypatch: pytest.MonkeyPatch, name: str | None = None, **query: str) -> AppTest:
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(workspace))
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    if name:
        app.switch_page(f"pages/{name}.py").run()
    return app


def html(app: AppTest) -> str:
    return " ".join(str(block.proto.body) for block in app.get("html"))


def test_the_review_opens_on_a_sample_and_names_its_culprit(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(workspace, monkeypatch)
    assert not app.exception
    assert "over budget" in html(app)
    assert "SELECT docs" in html(app)
    assert "▲" in html(app)


def test_the_dataset_in_the_url_is_the_one_shown(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(workspace, monkeypatch, dataset="sample-healthy")
    assert not app.exception
    assert "SELECT docs" not in html(app)
    assert app.query_params["dataset"] == ["sample-healthy"] or app.query_params["dataset"] == "sample-healthy"


def test_a_mistake_in_the_budget_is_shown_with_its_line(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(workspace, monkeypatch)
    app.text_area[0].set_value('[budget]\np95 = "fast"').run()
    assert not app.exception
    assert "line 2" in app.error[0].value


def test_an_empty_workspace_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(tmp_path, monkeypatch)
    assert not app.exception
    assert "Drop a trace dump" in app.info[0].value


def test_an_unknown_dataset_in_the_url_is_said(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(workspace, monkeypatch, dataset="gone")
    assert not app.exception
    assert "no dataset" in app.warning[0].value


def test_the_waterfall_shows_the_slowest_request(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(workspace, monkeypatch, "waterfall")
    assert not app.exception
    assert "Critical path: " in html(app)


def test_an_unknown_trace_is_an_error_in_words(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(workspace, monkeypatch, "waterfall")
    app.sidebar.text_input[0].set_value("ffffffff").run()
    assert not app.exception
    assert "There is no trace" in app.error[0].value


def test_the_datasets_page_tells_what_was_found(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(workspace, monkeypatch, "datasets")
    assert not app.exception
    assert any("Sample: " in box.label for box in app.expander)


def test_hostile_names_are_shown_as_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sample_traces.scenarios import SCENARIOS, simulate
    from sample_traces.writing import json_lines

    dump = json_lines(simulate(SCENARIOS[0], requests=20).spans).replace(
        b"POST /chat", HOSTILE.encode("unicode_escape")
    )
    (tmp_path / "hostile.jsonl").write_bytes(dump.replace(b"\\u202e", b"\\\\u202e"))
    ingest([tmp_path / "hostile.jsonl"], tmp_path / "hostile.duckdb")
    for name in (None, "waterfall", "datasets"):
        app = page(tmp_path, monkeypatch, name)
        assert not app.exception
        assert "<script>" not in html(app)
