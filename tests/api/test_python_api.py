"""`import overbudget`: light, the same answers as the command line, and answers that show themselves in a notebook."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import overbudget
from overbudget.app.cli import app
from overbudget.store.relations import RELATIONS
from tests.dataset_builder import MS, DatasetBuilder, Work

BUDGET = '[budget]\np95 = "250ms"\n[stages.tools]\np95 = "150ms"\n'
Ask = Callable[["overbudget.Dataset", str], "overbudget.Answer[Any]"]
ANSWERS: dict[str, tuple[Ask, list[str]]] = {  # method → call, and the command of the same name
    "review": (lambda traces, budget: traces.review(budget), ["review", "D", "--budget", "B"]),
    "tail": (lambda traces, budget: traces.tail(90, budget), ["tail", "D", "--percentile", "90", "--budget", "B"]),
    "what_if": (
        lambda traces, budget: traces.what_if(cap={"tools": "120ms"}, scale={"find": 0.5}, budget=budget),
        ["whatif", "D", "--cap", "tools=120ms", "--scale", "find=0.5", "--budget", "B"],
    ),
    "allocate": (
        lambda traces, budget: traces.allocate("p95=400ms", fixed=["tools"], budget=budget),
        ["allocate", "D", "--total", "p95=400ms", "--fixed", "tools", "--budget", "B"],
    ),
    "advise": (lambda traces, budget: traces.advise(budget), ["advise", "D", "--budget", "B"]),
    "load": (lambda traces, budget: traces.load(budget), ["load", "D", "--budget", "B"]),
    "consistency": (lambda traces, budget: traces.consistency(budget), ["consistency", "D", "--budget", "B"]),
    "audit": (lambda traces, budget: traces.audit(), ["audit", "D"]),
    "compare": (
        lambda traces, budget: traces.compare(
            traces, budget, only={"model": "small"}, candidate_only=["model=it's <big>"]
        ),
        ["compare", "D", "D", "--base", "model=small", "--candidate", "model=it's <big>", "--budget", "B"],
    ),
    "trace": (lambda traces, budget: traces.trace(first_trace(traces)), ["trace", "D", "T"]),
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    builder = DatasetBuilder()
    for number in range(150):
        builder.request(
            Work("tools", (100 + number) * MS, "find"),
            Work("retrieval", (400 if number % 12 == 0 else 20) * MS, "SELECT <docs>", hop_to="docs-db"),
            Work("inference", (300 if number % 10 == 0 else 50) * MS, "<b>chat</b>"),
            model="it's <big>" if number % 2 else "small",
            route="POST /<chat>",
        )
    return builder.write(tmp_path_factory.mktemp("api") / "d.duckdb")


@pytest.fixture
def traces(dataset: Path) -> Iterator["overbudget.Dataset"]:
    with overbudget.open(dataset) as opened:
        yield opened


@pytest.fixture
def budget(tmp_path: Path) -> str:
    file = tmp_path / "budget.toml"
    file.write_text(BUDGET)
    return str(file)


def first_trace(traces: "overbudget.Dataset") -> str:
    return str(traces.sql("SELECT min(trace_id) AS id FROM requests")["id"][0])


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_the_json_of_its_command(
    name: str, traces: "overbudget.Dataset", budget: str, dataset: Path
) -> None:
    ask, command = ANSWERS[name]
    said = ask(traces, budget).as_dict()
    names = {"D": str(dataset), "B": budget, "T": first_trace(traces)}
    done = CliRunner().invoke(app, [*(names.get(word, word) for word in command), "--json"], catch_exceptions=False)
    assert json.loads(json.dumps(said, default=str)) == json.loads(done.stdout)


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_shows_itself_with_every_name_escaped(name: str, traces: "overbudget.Dataset", budget: str) -> None:
    answer = ANSWERS[name][0](traces, budget)
    shown = answer._repr_html_()
    first = str(answer).splitlines()[0]
    assert first.split("`")[0].split("<")[0][:20] in shown
    assert not [name for name in ("<chat>", "<big>", "<b>chat", "<docs>") if name in shown]
    assert "color:" not in shown.replace("fill:currentColor", "")  # the notebook's own, light or dark
    assert ("<table>" in shown or "<svg" in shown) == (name != "audit")  # which has found nothing here


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_a_frame_and_a_figure(name: str, traces: "overbudget.Dataset", budget: str) -> None:
    answer = ANSWERS[name][0](traces, budget)
    if name == "audit":
        assert len(answer.frame()) == 0
        with pytest.raises(overbudget.OverbudgetError, match=r"no chart.*\.frame\(\)"):
            answer.figure()
        return
    assert len(answer.frame()) > 0
    assert len(answer.figure().data) > 0
    for table in answer.tables:
        answer.frame(table)
    with pytest.raises(overbudget.OverbudgetError, match="no table `nonsense`; it has"):
        answer.frame("nonsense")


def test_a_frame_has_the_numbers_of_the_answer(traces: "overbudget.Dataset", budget: str) -> None:
    answer = traces.review(budget)
    frame = answer.frame()
    whole = frame[(frame["stage"] == "whole request") & (frame["percentile"] == 95)]
    assert whole["latency_ns"].item() == answer.result.row(95).latency_ns
    assert set(frame["stage"]) > {"tools", "inference"}
    parts = answer.frame("breakdown")
    sums = parts.groupby("percentile")["mean_ns"].sum()
    assert (sums - parts.groupby("percentile")["band_latency_ns"].first()).abs().max() <= len(set(parts["stage"]))
    assert list(traces.tail().frame("attributes")) == list(traces.tail().as_dict()["attributes"][0])


def test_a_budget_is_a_file_toml_text_or_a_dict(traces: "overbudget.Dataset", budget: str) -> None:
    as_dict = {"budget": {"p95": "250ms"}, "stages": {"tools": {"p95": "150ms"}}}
    for source in (budget, Path(budget), BUDGET, as_dict, overbudget.load_budget(budget)):
        row = traces.review(source).result.row(95)
        assert (row.budget_ns, row.verdict) == (250 * MS, "unknown")  # too few requests for a verdict
    assert traces.review().result.row(95).verdict is None
    with pytest.raises(overbudget.OverbudgetError, match="p96"):
        traces.review('[budget]\np96x = "1s"\n')
    with pytest.raises(overbudget.OverbudgetError, match=r"nowhere\.toml"):
        traces.review("nowhere.toml")
    with pytest.raises(overbudget.OverbudgetError, match="not a int"):
        overbudget.load_budget(3)  # type: ignore[arg-type]


def test_only_chooses_the_requests(traces: "overbudget.Dataset") -> None:
    for only in ("model=small", ["model=small"], {"model": "small"}, overbudget.Filters(model="small")):
        assert traces.review(only=only).as_dict()["selected"]["requests"] == 75
    assert traces.review(only={"model": ["small", "it's <big>"]}).as_dict()["selected"]["requests"] == 150
    with pytest.raises(overbudget.OverbudgetError, match="nonsense"):
        traces.review(only={"nonsense": "x"})
    with pytest.raises(overbudget.OverbudgetError, match="No request has the model `none`"):
        traces.review(only="model=none")


def test_calls_run_in_parallel_alone_or_in_groups(traces: "overbudget.Dataset") -> None:
    alone = traces.what_if(parallel=["find", "<b>chat</b>"])
    assert alone.as_dict() == traces.what_if(parallel=[["find", "<b>chat</b>"]]).as_dict()
    assert alone.result.requests_changed == 150


def test_every_relation_is_an_attribute(traces: "overbudget.Dataset") -> None:
    for name in RELATIONS:
        relation = getattr(traces, name)
        assert relation.columns == traces.relation(name).columns
    assert traces.requests.filter("complete").aggregate("count(*)").fetchall() == [(150,)]
    with pytest.raises(overbudget.OverbudgetError, match="no relation `secrets`; it has spans"):
        traces.relation("secrets")


def test_sql_is_a_frame_with_times_to_the_nanosecond(traces: "overbudget.Dataset") -> None:
    frame = traces.sql("SELECT start_time, start_ns FROM requests")
    assert (frame["start_time"].astype("int64") == frame["start_ns"]).all()
    with pytest.raises(overbudget.OverbudgetError, match="The query failed"):
        traces.sql("SELECT nonsense FROM requests")
    with pytest.raises(overbudget.OverbudgetError, match="one statement"):
        traces.sql("SELECT 1; SELECT 2")


def test_a_closed_dataset_says_so(dataset: Path) -> None:
    with overbudget.open(dataset) as opened:
        opened.audit()
    opened.close()
    with pytest.raises(overbudget.OverbudgetError, match="has been closed; open it again"):
        opened.review()


def test_what_is_no_dataset_is_an_error_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(overbudget.OverbudgetError, match="There is no dataset"):
        overbudget.open(tmp_path / "none.duckdb")


def test_ingest_is_called_and_is_a_package(tmp_path: Path) -> None:
    """The room of that name has been imported by others; it is called all the same, and its modules are found."""
    import overbudget.ingest.pipeline

    dump = tmp_path / "a.json"
    ids = {"traceId": "0" * 31 + "1", "spanId": "0" * 15 + "1"}
    span = {**ids, "name": "x", "startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000001000000000"}
    dump.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}))
    found = overbudget.ingest([dump], to=tmp_path / "a.duckdb")
    assert (found.result.requests, found.as_dict()["spans"]) == (1, 1)
    assert str(found).endswith("a.duckdb holds 1 span in 1 trace, 1 request.")
    assert found.frame()["spans"].tolist() == [1]
    again = overbudget.ingest(str(dump), to=tmp_path / "b.duckdb")
    assert again.result == overbudget.ingest.pipeline.IngestResult(  # type: ignore[attr-defined]
        tmp_path / "b.duckdb", 1, 1, 1, again.result.files
    )


def test_everything_public_is_there_and_documented() -> None:
    for name in overbudget.__all__:
        assert getattr(overbudget, name) is not None
        assert name in dir(overbudget)
    public = [value for name, value in vars(overbudget.Dataset).items() if callable(value) and name[0] != "_"]
    assert len(public) == 13
    assert all(method.__doc__ for method in public)
    with pytest.raises(AttributeError, match="nonsense"):
        overbudget.nonsense  # type: ignore[attr-defined]  # noqa: B018


def test_importing_loads_nothing_heavy() -> None:
    code = "import overbudget, sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numba", "pandas", "plotly", "streamlit", "scipy", "pyarrow", "duckdb", "numpy", "rich"} & set(loaded)
