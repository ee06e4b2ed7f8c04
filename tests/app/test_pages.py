"""Each page of the dashboard, headless."""

import ast
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from overbudget.app.dashboard import queries
from overbudget.app.dashboard.state import WORKSPACE_VARIABLE
from overbudget.app.server.questions.queries import CANCELLED, Queries, queries_of_server
from overbudget.app.server.workspace import SAMPLES, Workspace
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError
from tests.dataset_builder import MS, DatasetBuilder, Work

MAIN = Path(__file__).parents[2] / "app" / "dashboard" / "main.py"
PAGES = ("tail", "waterfall", "advice", "load", "compare", "health", "sql", "datasets")
ENDLESS = "SELECT count(*) FROM range(1000000000) a, range(1000000) b WHERE a.range % 7 = b.range % 11"
HOSTILE = "<script>alert(1)</script>\u202e\n=cmd()"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workspace")
    for name in ("slow_database_tenant", "healthy", "tools_in_a_row", "lost_context", "load_ramp", "erratic_big_model"):
        ingest([SAMPLES / f"{name}.otlp.jsonl.gz"], folder / f"sample-{name}.duckdb")
    return folder


def page(workspace: Path, monkeypatch: pytest.MonkeyPatch, name: str | None = None, **query: str) -> AppTest:
    """A page as somebody sees it who opens its link."""
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(workspace))
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    for step in ("review", name):
        if step != "review":
            app.switch_page(f"views/{step}.py")
        for key, value in query.items():
            app.query_params[key] = value
        app.run()
        if name is None:
            break
    return app


def html(app: AppTest) -> str:
    return " ".join(str(block.proto.body) for block in app.get("html"))


def test_the_review_opens_on_a_sample_and_names_its_culprit(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(workspace, monkeypatch)
    assert not app.exception
    assert "over its cap of" in html(app)
    assert "SELECT docs" in html(app)


def test_what_is_left_along_the_way_is_shown_at_p95_or_at_the_percentile_that_is_chosen(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = page(workspace, monkeypatch, dataset="sample-slow_database_tenant")
    assert "What is left of the 1.80 s" in html(app)
    assert "blue: around p95" in html(app)
    (choice,) = [one for one in app.get("button_group") if one.key == "left at"]
    assert choice.options == ["p50", "p75", "p90", "p95", "p99"]
    choice.set_value("p50").run()
    assert not app.exception
    assert "What is left of the 1.30 s" in html(app)
    assert "blue: around p50" in html(app)
    shared = page(workspace, monkeypatch, dataset="sample-slow_database_tenant", **{"left at": "p75"})
    assert "blue: around p75" in html(shared)


def test_the_dataset_in_the_url_is_the_one_shown(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(workspace, monkeypatch, dataset="sample-healthy")
    assert not app.exception
    assert "SELECT docs" not in html(app)
    assert app.query_params["dataset"] == ["sample-healthy"] or app.query_params["dataset"] == "sample-healthy"


def test_a_mistake_in_the_budget_is_shown_with_its_line(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(workspace, monkeypatch)
    app.sidebar.text_area[0].set_value('[budget]\np95 = "fast"').run()
    assert not app.exception
    assert "line 2" in app.error[0].value
    assert "the budget before it applies" in app.error[0].value
    assert "over its cap of" in html(app)


def test_a_budget_beside_a_dataset_is_everybodys_and_moves_and_goes_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest([SAMPLES / "healthy.otlp.jsonl.gz"], tmp_path / "prod.duckdb")
    (tmp_path / "prod.budget.toml").write_text("[budget]\np95 = '10ms'")
    app = page(tmp_path, monkeypatch, dataset="prod")
    assert not app.exception
    assert "over its cap of 10 ms" in html(app)
    workspace = Workspace(tmp_path)
    workspace.rename("prod", "live")
    assert workspace.budget("live") == "[budget]\np95 = '10ms'"
    assert workspace.budget("prod") == ""
    workspace.delete("live")
    assert not list(tmp_path.glob("*.toml"))


def test_an_objective_says_what_of_its_error_budget_is_spent(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(workspace, monkeypatch)
    assert "error budget" not in html(app)
    app.sidebar.text_area[0].set_value('[budget]\np95 = "2s"\n[objective]\nwithin = 0.9').run()
    assert not app.exception
    assert "The objective is 90% of requests that do not fail" in html(app)
    assert "by requests that take too long in" in html(app)


def test_versions_are_marked_said_and_filtered_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builder = DatasetBuilder()
    for number in range(300):
        builder.request(
            Work("inference", (400 if number < 150 else 900) * MS + number % 13 * MS),
            version="1.4" if number < 150 else "1.5",
            environment="live",
        )
    builder.write(tmp_path / "two.duckdb")
    app = page(tmp_path, monkeypatch)
    assert not app.exception
    assert "grey lines: the first request of a version" in html(app)
    assert "With version <code>1.5</code> of <code>api</code>" in html(app)
    assert not [box for box in app.selectbox if box.key == "environment"]  # there is but one
    next(box for box in app.selectbox if box.key == "version").set_value("1.5").run()
    assert not app.exception
    assert app.query_params["version"] in ("1.5", ["1.5"])
    assert "p95 is 912 ms" in html(app)
    assert "grey lines" not in html(app)


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
    assert "For one tenant in eight" in html(app)
    assert "spans in 420 requests" in html(app)
    assert "Open" in [button.label for button in app.button]


def test_hostile_names_are_shown_as_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from overbudget.sample_traces.scenarios import SCENARIOS, simulate
    from overbudget.sample_traces.writing import json_lines

    dump = json_lines(simulate(SCENARIOS[0], requests=20).spans).replace(
        b"POST /chat", HOSTILE.encode("unicode_escape")
    )
    (tmp_path / "hostile.jsonl").write_bytes(dump.replace(b"\\u202e", b"\\\\u202e"))
    ingest([tmp_path / "hostile.jsonl"], tmp_path / "hostile.duckdb")
    for name in (None, *PAGES):
        app = page(tmp_path, monkeypatch, name)
        assert not app.exception
        assert "<script>" not in html(app)


def said_on(workspace: Path, monkeypatch: pytest.MonkeyPatch, name: str, dataset: str) -> str:
    app = page(workspace, monkeypatch, name, dataset=f"sample-{dataset}")
    assert not app.exception
    assert not app.error
    return html(app)


def test_the_tail_names_tenant_and_query(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = said_on(workspace, monkeypatch, "tail", "slow_database_tenant")
    assert "tenant = umbrella" in said
    assert "takes 96% of the excess" in said


def test_the_advice_is_the_one_of_the_story_and_the_workbench_replays_it(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = page(workspace, monkeypatch, "advice", dataset="sample-tools_in_a_row")
    assert "Run in parallel" in html(app)
    app.main.checkbox[0].check().run()
    assert not app.exception
    assert "p95 goes from 1.66 s to 1.37 s" in html(app)
    assert "overbudget whatif" in app.code[0].value


def test_a_workbench_change_that_makes_no_sense_is_said(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(workspace, monkeypatch, "advice", dataset="sample-healthy")
    app.main.text_input[2].set_value("no such thing=1ms").run()
    assert not app.exception
    assert "There is no stage or operation" in app.error[0].value


def test_load_says_where_the_budget_breaks_and_what_grows(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = said_on(workspace, monkeypatch, "load", "load_ramp")
    assert "The first stage to grow is queue" in said
    assert "is exceeded for certain from" in said


def test_consistency_names_the_steadiest_model(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = said_on(workspace, monkeypatch, "load", "erratic_big_model")
    assert "The steadiest model is" in said
    assert "Models side by side" in said


def test_compare_names_the_service_that_grew(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(workspace, monkeypatch, "compare", base="sample-healthy", candidate="sample-slow_database_tenant")
    assert not app.exception
    assert "The candidate is slower" in html(app)
    assert "docs-db" in html(app)


def test_one_part_of_a_dataset_is_compared_with_another(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "sample-erratic_big_model"
    app = page(workspace, monkeypatch, "compare", dataset=name, base=name, candidate=name)
    for key, model in (("base_part", "steady-8b"), ("candidate_part", "big-400b")):
        app.selectbox(key=key).select(f"model = {model}").run()
    assert not app.exception
    assert "The candidate is slower" in html(app)


def test_one_version_is_compared_with_the_next_and_one_environment_with_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = DatasetBuilder()
    for number in range(300):
        slow = number >= 150
        builder.request(
            Work("inference", (900 if slow else 400) * MS + number % 13 * MS),
            version="1.5" if slow else "1.4",
            environment="live" if number % 2 else "test",
        )
    builder.write(tmp_path / "two.duckdb")
    app = page(tmp_path, monkeypatch, "compare")
    offered = ["environment = live", "environment = test", "version = 1.4", "version = 1.5"]
    assert sorted(app.selectbox(key="base_part").options) == offered
    for key, part in (("base_part", "version = 1.4"), ("candidate_part", "version = 1.5")):
        app.selectbox(key=key).select(part).run()
        assert app.query_params[key] in (part, [part])
    assert not app.exception
    assert "The candidate is slower" in html(app)
    link = {"base_part": "version = 1.5", "candidate_part": "version = 1.4"}
    assert "The candidate is faster" in html(page(tmp_path, monkeypatch, "compare", **link))
    link = {"base_part": "environment = live", "candidate_part": "environment = test"}
    said = html(page(tmp_path, monkeypatch, "compare", **link))
    assert "The candidate is slower" not in said
    assert "The candidate is faster" not in said


def test_a_dataset_without_versions_offers_none_to_compare(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(workspace, monkeypatch, "compare", dataset="sample-erratic_big_model")
    offered = app.selectbox(key="base_part").options
    assert not [part for part in offered if part.startswith(("version", "environment"))]


def test_trace_health_opens_an_example(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(workspace, monkeypatch, "health", dataset="sample-lost_context")
    assert any("Lost context: 107" in heading.value for heading in app.markdown)
    assert any("--stitch" in text.value for text in app.text)


def answered(app: AppTest) -> AppTest:
    """The SQL page after Run was pressed and the answer came."""
    app.button("run").click().run()
    while any("Running" in info.value for info in app.info):
        app.run()
    return app


@pytest.fixture
def run_button(monkeypatch: pytest.MonkeyPatch) -> None:
    """The editor's own button, which a headless page cannot press, as one of Streamlit's."""

    def editor(text: str, key: str, label: str, on_written: object, on_run: Callable[[str], None]) -> None:
        st.button("Run", "run", on_click=on_run, args=(text,))

    monkeypatch.setattr(queries, "editor", editor)


@pytest.mark.usefixtures("run_button")
def test_every_example_on_the_sql_page_runs(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(workspace, monkeypatch, "sql")
    for name in app.main.selectbox[0].options:
        app.main.selectbox[0].select(name).run()
        assert not app.dataframe
        answered(app)
        assert not app.exception
        assert not app.error, name
        assert len(app.dataframe) == 1


@pytest.mark.usefixtures("run_button")
def test_a_link_fills_in_a_query_and_runs_nothing(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = Queries.ask
    monkeypatch.setattr(Queries, "ask", lambda self, path, text: asked.append(text) or real(self, path, text))
    app = page(workspace, monkeypatch, "sql", query="SELECT 41 + 1 AS n")
    assert not app.exception
    assert [info.value for info in app.info] == ["Press Run for the answer."]
    assert "SELECT 41 + 1 AS n" in app.code[0].value
    assert asked == []
    answered(app)
    assert asked == ["SELECT 41 + 1 AS n"]
    assert app.dataframe[0].value["n"].tolist() == [42]
    app.run()  # the answer stays while the page is drawn again, and is not asked for again
    assert (len(app.dataframe), len(asked)) == (1, 1)


@pytest.mark.usefixtures("run_button")
def test_a_query_that_takes_long_is_cancelled(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(workspace, monkeypatch, "sql", query=ENDLESS)
    app.button("run").click().run()
    assert "Running for" in app.info[0].value
    next(button for button in app.button if button.label == "Cancel").click().run()
    while not app.error:
        app.run()
    assert [error.value for error in app.error] == [CANCELLED]


@pytest.mark.usefixtures("run_button")
def test_what_an_answer_lacks_is_said(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERBUDGET_LIMIT_QUERY_ROWS", "3")
    monkeypatch.setenv("OVERBUDGET_LIMIT_QUERY_CELL", "5")
    queries_of_server.cache_clear()  # the spare process has the limits of before
    app = answered(page(workspace, monkeypatch, "sql", query="SELECT 'abcdef' AS a FROM range(9)"))
    assert app.dataframe[0].value["a"].tolist() == ["abcde… (6 characters)"] * 3
    said = [caption.value for caption in app.caption]
    assert any("The first 3 rows of more (the limit query_rows). 3 cells cut after 5 characters" in one for one in said)


@pytest.mark.usefixtures("run_button")
@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELEC 1", "The query failed"),
        ("SELECT * FROM read_csv('/etc/passwd')", "The query failed"),
        ("DROP TABLE requests", "Only questions can be asked"),
    ],
)
def test_sql_that_is_wrong_or_not_allowed_is_refused_in_words(
    query: str, said: str, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = answered(page(workspace, monkeypatch, "sql", query=query))
    assert not app.exception
    assert said in app.error[0].value


def test_filters_leave_what_they_say(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(workspace, monkeypatch, dataset="sample-erratic_big_model")
    app.selectbox(key="model").select("steady-8b").run()
    assert not app.exception
    assert "p95 is 1.38 s" in html(app)


def test_datasets_are_renamed_merged_and_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("healthy", "load_ramp"):
        ingest([SAMPLES / f"{name}.otlp.jsonl.gz"], tmp_path / f"{name}.duckdb")
    place = Workspace(tmp_path)
    assert place.rename("healthy", "../a good week") == "a_good_week"
    with pytest.raises(OverbudgetError, match="already"):
        place.rename("load_ramp", "a good week")
    both = place.merge("a_good_week", "load_ramp")
    assert open_dataset(place.path(both)).execute("SELECT count(*) FROM requests").fetchall() == [(980,)]
    with zipfile.ZipFile(io.BytesIO(place.parquet(both))) as archive:
        assert f"{both}/requests.parquet" in archive.namelist()
    place.delete("load_ramp")
    assert set(place.names()) == {"a_good_week", both}


def test_no_page_is_long_or_calculates() -> None:
    for path in (MAIN.parent / "views").glob("*.py"):
        text = path.read_text()
        assert len(text.splitlines()) <= 60, path.name
        tree = ast.parse(text)
        sums = [node for node in ast.walk(tree) if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.BitOr)]
        assert sums == [], path.name


def test_one_request_is_told_by_what_it_is_made_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from overbudget.sample_traces.scenarios import SCENARIOS, simulate
    from overbudget.sample_traces.writing import json_lines

    (tmp_path / "one.jsonl").write_bytes(json_lines(simulate(SCENARIOS[0], requests=1).spans))
    ingest([tmp_path / "one.jsonl"], tmp_path / "one.duckdb")
    for name in (None, *PAGES):
        app = page(tmp_path, monkeypatch, name)
        assert not app.exception
        if name is None:
            assert "on average they are made of this" in html(app)
        if name == "load":
            assert "The only request arrives" in html(app)
            assert "1 request is too few" in html(app)


def test_an_operation_of_the_tail_is_in_the_link(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(workspace, monkeypatch, "tail", dataset="sample-slow_database_tenant", operation="1")
    assert not app.exception
    assert "Time of tools: POST /stock in each request" in html(app)
