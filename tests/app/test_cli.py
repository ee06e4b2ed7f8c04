"""Each command as users and scripts call it: in a process of its own."""

import csv
import fcntl
import gzip
import io
import itertools
import json
import os
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest

from overbudget.app.server.workspace import SAMPLES
from tests.waiting import until

ROOT = Path(__file__).parents[2]
NAME = "slow_database_tenant"
BUDGET = str(SAMPLES / f"{NAME}.budget.toml")


def call(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "overbudget.app.cli", *arguments],
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        timeout=120,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def json_of(*arguments: str) -> Any:
    done = call(*arguments, "--json")
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("cli") / "d.duckdb"
    done = call("ingest", str(SAMPLES / f"{NAME}.otlp.jsonl.gz"), "--to", str(path))
    assert done.returncode == 0, done.stderr
    assert "12,180 spans in 420 traces, 420 requests" in done.stdout
    return str(path)


def test_ingest_prints_the_json_that_is_promised(tmp_path: Path) -> None:
    found = json_of("ingest", str(SAMPLES / f"{NAME}.otlp.binpb.gz"), "--to", str(tmp_path / "d.duckdb"))
    assert {"dataset", "spans", "traces", "requests", "duplicates", "rejected", "warnings", "files"} <= found.keys()
    assert (found["spans"], found["requests"], found["duplicates"], found["rejected"]) == (12_180, 420, 0, 0)


def test_clocks_are_adjusted_unless_they_are_to_be_kept(tmp_path: Path) -> None:
    def spans(service: str, *ids: tuple[str, str, int, int]) -> dict[str, Any]:
        told = [
            {"traceId": "1" * 32, "spanId": own * 16, "parentSpanId": above * 16, "name": service,
             "startTimeUnixNano": str(start), "endTimeUnixNano": str(end)}
            for own, above, start, end in ids
        ]  # fmt: skip
        resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
        return {"resource": resource, "scopeSpans": [{"spans": told}]}

    dump, to = tmp_path / "d.json", str(tmp_path / "d.duckdb")
    parts = spans("api", ("1", "", 1_000, 9_000)), spans("cart", ("2", "1", 8_000, 12_000))
    dump.write_text(json.dumps({"resourceSpans": parts}))
    for options, skew in (([], -5_000), (["--keep-clocks"], 0)):
        assert call("ingest", str(dump), "--to", to, *options).returncode == 0
        assert json_of("sql", to, "SELECT min(skew_ns) AS skew FROM spans") == [{"skew": skew}]


def test_ingest_reads_standard_input_and_appends(tmp_path: Path) -> None:
    to = str(tmp_path / "d.duckdb")
    dump = (SAMPLES / f"{NAME}.otlp.jsonl.gz").read_bytes()
    assert call("ingest", "-", "--to", to, stdin=dump).returncode == 0
    again = json_of("ingest", str(SAMPLES / "healthy.otlp.jsonl.gz"), "--to", to, "--append")
    assert again["requests"] == 840
    twice = json_of("ingest", str(SAMPLES / "healthy.otlp.jsonl.gz"), "--to", to, "--append")
    assert (twice["requests"], twice["duplicates"]) == (840, 12_180)
    assert [w["code"] for w in twice["warnings"]] == ["duplicate_span"]
    tokens = json_of("sql", to, "SELECT count(*) FILTER (input_tokens > 0) AS n FROM requests")
    assert tokens == [{"n": 840}]


def test_review_names_the_culprit_in_text_json_and_markdown(dataset: str) -> None:
    text = call("review", dataset, "--budget", BUDGET)
    assert text.returncode == 0
    assert "`SELECT docs`" in text.stdout
    found = json_of("review", dataset, "--budget", BUDGET)
    assert {"dataset", "budget", "percentiles", "end_to_end", "stages", "breakdown", "good"} <= found.keys()
    assert found["percentiles"] == [50, 75, 90, 95, 99]
    at_p95 = next(made_of for made_of in found["breakdown"] if made_of["percentile"] == 95)
    assert at_p95["culprit"]["stage"] == "retrieval"
    assert {"service_name", "name", "hop_to", "excess_ns"} <= at_p95["culprit"]["operation"].keys()
    keys = {"percentile", "latency_ns", "ci_low_ns", "ci_high_ns", "n", "budget_ns", "verdict"}
    assert all(keys <= row.keys() for row in [*found["end_to_end"], *found["stages"]])
    assert call("review", dataset, "--markdown").stdout.startswith("### ")


def test_check_exits_with_1_when_a_cap_is_over_and_0_when_none_is(dataset: str, tmp_path: Path) -> None:
    broken = call("check", dataset, "--budget", BUDGET)
    assert broken.returncode == 1
    assert "retrieval" in broken.stdout
    (tmp_path / "b.toml").write_text('[budget]\np95 = "1h"\n')
    assert call("check", dataset, "--budget", str(tmp_path / "b.toml")).returncode == 0
    assert json_of("check", dataset, "--budget", BUDGET)["over"]


def test_trace_as_otlp_is_a_dump_again(dataset: str, tmp_path: Path) -> None:
    (slowest,) = json_of("sql", dataset, "SELECT trace_id, duration_ns FROM requests ORDER BY duration_ns DESC LIMIT 1")
    (tmp_path / "trace.json").write_text(call("trace", dataset, slowest["trace_id"][:12], "--otlp").stdout)
    found = json_of("ingest", str(tmp_path / "trace.json"), "--to", str(tmp_path / "trace.duckdb"))
    assert found["requests"] == 1
    assert json_of("trace", str(tmp_path / "trace.duckdb"), slowest["trace_id"]) == json_of(
        "trace", dataset, slowest["trace_id"]
    )


def test_trace_draws_a_waterfall_and_prints_segments_that_tile(dataset: str) -> None:
    (slowest,) = json_of("sql", dataset, "SELECT trace_id, duration_ns FROM requests ORDER BY duration_ns DESC LIMIT 1")
    drawn = call("trace", dataset, slowest["trace_id"][:12].upper())
    assert drawn.returncode == 0
    assert "retriever: SELECT docs" in drawn.stdout
    assert "#" in drawn.stdout
    assert max(len(line) for line in drawn.stdout.splitlines()) <= 140
    found = json_of("trace", dataset, slowest["trace_id"])
    (request,) = found["requests"]
    path = request["critical_path"]
    assert sum(s["end_ns"] - s["start_ns"] for s in path) == request["duration_ns"] == slowest["duration_ns"]
    assert all(a["end_ns"] == b["start_ns"] for a, b in itertools.pairwise(path))


def test_sql_answers_as_text_csv_and_json(dataset: str) -> None:
    query = "SELECT route, count(*) AS n, max(start_ns) AS last FROM requests GROUP BY route"
    (row,) = json_of("sql", dataset, query)
    assert (row["route"], row["n"], type(row["last"])) == ("POST /chat", 420, int)
    assert next(csv.DictReader(io.StringIO(call("sql", dataset, query, "--csv").stdout)))["n"] == "420"
    assert "POST /chat" in call("sql", dataset, query).stdout


def test_export_writes_a_file_for_each_relation(dataset: str, tmp_path: Path) -> None:
    done = call("export", dataset, "--parquet", str(tmp_path / "out"))
    assert done.returncode == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        Path(line).name for line in done.stdout.split()
    )


@pytest.mark.parametrize("command", ["ingest", "review", "check", "trace", "sql", "export", "serve"])
def test_help_shows_an_example(command: str) -> None:
    done = call(command, "--help")
    assert done.returncode == 0
    assert f"Example: overbudget {command}" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ("review", "gone.duckdb"),
        ("ingest", "gone.jsonl", "--to", "x.duckdb"),
        ("trace", "DATASET", "ffffffffffff"),
        ("sql", "DATASET", "SELEKT 1"),
        ("sql", "DATASET", "SELECT * FROM read_csv('/etc/passwd')"),
        ("review", "DATASET", "--budget", "gone.toml"),
        ("review", "DATASET", "--route", "GET /nowhere"),
        ("check", "DATASET"),
        ("nonsense",),
    ],
)
def test_an_error_is_one_readable_sentence_and_exit_status_2(dataset: str, arguments: tuple[str, ...]) -> None:
    done = call(*(dataset if argument == "DATASET" else argument for argument in arguments))
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert 10 < len(done.stderr.strip()) < 600


def test_compare_prints_the_json_that_is_promised_and_fails_on_a_regression(dataset: str, tmp_path: Path) -> None:
    healthy = str(tmp_path / "healthy.duckdb")
    assert call("ingest", str(SAMPLES / "healthy.otlp.jsonl.gz"), "--to", healthy).returncode == 0
    found = json_of("compare", healthy, dataset)
    assert {"end_to_end", "stages", "services", "operations"} <= found.keys()
    keys = {"percentile", "base_ns", "candidate_ns", "change_ns", "ci_low_ns", "ci_high_ns", "verdict"}
    assert keys <= found["end_to_end"][0].keys()
    assert keys | {"stage"} <= found["stages"][0].keys()
    means = {"base_mean_ns", "candidate_mean_ns", "change_ns", "share_of_change"}
    assert means | {"service_name"} <= found["services"][0].keys()
    assert means | {"service_name", "name", "hop_to"} <= found["operations"][0].keys()
    assert found["services"][0]["service_name"] == "docs-db"
    failing = call("compare", healthy, dataset, "--fail-on-regression")
    assert failing.returncode == 1
    assert "slower" in failing.stdout
    comment = call("compare", healthy, dataset, "--markdown", "--fail-on-regression")
    assert comment.returncode == 1
    assert comment.stdout.startswith("### The candidate is slower: ")
    assert "| **whole request** |" in comment.stdout
    assert "| docs-db |" in comment.stdout
    assert call("compare", dataset, dataset, "--fail-on-regression").returncode == 0
    wrong = call("compare", dataset, dataset, "--base", "modle=x")
    assert wrong.returncode == 2
    assert "Did you mean" in wrong.stderr


def test_tail_names_the_tenant_and_the_query(dataset: str) -> None:
    found = json_of("tail", dataset)
    assert {"percentile", "threshold_ns", "slow", "typical", "operations", "attributes"} <= found.keys()
    first = found["attributes"][0]
    assert (first["key"], first["value"], first["on"]) == ("tenant", "umbrella", "SELECT docs")
    assert {"slow_share", "typical_share", "lift", "q_value", "requests"} <= first.keys()
    said = " ".join(call("tail", dataset).stdout.split())
    assert "tenant = umbrella on `SELECT docs` is in 100% of the slow" in said


def test_whatif_prints_the_json_that_is_promised(dataset: str) -> None:
    found = json_of("whatif", dataset, "--cap", "SELECT docs=60ms", "--scale", "inference=0.9", "--budget", BUDGET)
    assert {"changes", "percentiles", "within_budget", "requests_changed"} <= found.keys()
    assert len(found["changes"]) == 2
    assert all(one["after_ns"] < one["before_ns"] for one in found["percentiles"])
    assert found["within_budget"]["before"] < found["within_budget"]["after"]
    assert "p95 goes from 2.18 s to" in call("whatif", dataset, "--cap", "SELECT docs=60ms").stdout
    wrong = call("whatif", dataset, "--cap", "SELECT doc=60ms")
    assert wrong.returncode == 2
    assert "Did you mean `SELECT docs`?" in wrong.stderr


def test_advise_prints_the_json_that_is_promised(tmp_path: Path) -> None:
    path = str(tmp_path / "d.duckdb")
    assert call("ingest", str(SAMPLES / "tools_in_a_row.otlp.jsonl.gz"), "--to", path).returncode == 0
    (advice,) = json_of("advise", path)["advice"]
    assert {"kind", "operations", "requests", "evidence", "against", "confidence", "effect", "try"} <= advice.keys()
    assert advice["try"].startswith("overbudget whatif ")
    assert {"percentile", "before_ns", "after_ns"} <= advice["effect"][0].keys()
    assert "1. Run in parallel: `execute_tool orders`" in call("advise", path).stdout


def test_audit_prints_the_json_that_is_promised(tmp_path: Path) -> None:
    path = str(tmp_path / "d.duckdb")
    assert call("ingest", str(SAMPLES / "lost_context.otlp.jsonl.gz"), "--to", path).returncode == 0
    found = json_of("audit", path)
    assert {"requests", "complete", "problems"} <= found.keys()
    assert {"code", "count", "example", "services", "means", "remedy"} <= found["problems"][0].keys()
    assert "lost_context: 107" in call("audit", path).stdout


def test_load_prints_the_json_that_is_promised(tmp_path: Path) -> None:
    path = str(tmp_path / "d.duckdb")
    assert call("ingest", str(SAMPLES / "load_ramp.otlp.jsonl.gz"), "--to", path).returncode == 0
    found = json_of("load", path, "--budget", str(SAMPLES / "load_ramp.budget.toml"))
    assert {"bins", "first_to_grow", "breaks_at"} <= found.keys()
    keys = {"in_flight_low", "in_flight_high", "requests", "p50_ns", "p95_ns", "stages"}
    assert keys <= found["bins"][0].keys()
    assert {"stage", "mean_ns"} <= found["bins"][0]["stages"][0].keys()
    assert sum(one["requests"] for one in found["bins"]) == 560
    assert found["first_to_grow"] == "queue"
    assert "The first stage to grow is queue" in call("load", path).stdout


def test_consistency_prints_the_json_that_is_promised(tmp_path: Path) -> None:
    path = str(tmp_path / "d.duckdb")
    assert call("ingest", str(SAMPLES / "erratic_big_model.otlp.jsonl.gz"), "--to", path).returncode == 0
    found = json_of("consistency", path, "--budget", str(SAMPLES / "erratic_big_model.budget.toml"))
    keys = {"name", "requests", "p50_ns", "p95_ns", "p99_ns", "p95_over_p50", "within_budget", "good"}
    assert keys | {"windows_over_budget"} <= found["stages"][0].keys()
    assert keys | {"windows_over_budget"} <= found["models"][0].keys()
    assert found["models"][0]["name"] == "big-400b"
    assert "The steadiest model is `steady-8b`" in call("consistency", path).stdout


def test_audit_stitches_what_was_cut(tmp_path: Path) -> None:
    path, whole = str(tmp_path / "d.duckdb"), str(tmp_path / "whole.duckdb")
    assert call("ingest", str(SAMPLES / "lost_context.otlp.jsonl.gz"), "--to", path).returncode == 0
    assert json_of("audit", path, "--stitch", "--to", whole)["stitched"] == 107
    assert json_of("audit", whole)["requests"] == 420
    assert json_of("audit", path)["requests"] == 527
    said = call("audit", path, "--stitch")
    assert "107 requests became part of the trace of the run" in said.stdout
    assert json_of("audit", path)["requests"] == 420
    assert call("audit", path, "--to", whole).returncode == 2


@pytest.mark.parametrize(
    "arguments",
    [("bogus",), ("ingest",), ("ingest", "x"), ("check", "x"), ("review", "x", "--bogus"), ("tail", "x", "--percentile", "a")],
)  # fmt: skip
def test_wrong_usage_is_one_sentence_that_says_where_to_look(arguments: tuple[str, ...]) -> None:
    done = call(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "See: overbudget" in done.stderr


def test_a_reader_that_leaves_early_changes_no_exit_status(dataset: str) -> None:
    for arguments, status in (
        (("sql", dataset, "SELECT * FROM spans", "--csv"), 0),
        (("sql", dataset, "SELECT * FROM spans"), 0),
        (("check", dataset, "--budget", BUDGET, "--json"), 1),
    ):
        command = subprocess.Popen(
            [sys.executable, "-m", "overbudget.app.cli", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert command.stdout is not None
        assert command.stderr is not None
        command.stdout.close()
        assert (command.stderr.read(), command.wait()) == (b"", status)
        command.stderr.close()


def unread(pipe: int) -> int:
    """How many bytes stand in a pipe."""
    return int(struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0])


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_ingest_that_is_stopped_leaves_nothing_behind(sent: signal.Signals, tmp_path: Path) -> None:
    reading, writing = os.pipe()  # stay open: the command waits for the rest of its dump
    command = subprocess.Popen(
        [sys.executable, "-m", "overbudget.app.cli", "ingest", "-", "--to", str(tmp_path / "new" / "d.duckdb")],
        cwd=ROOT, stdin=reading, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    with os.fdopen(writing, "wb", buffering=0) as dump:
        dump.write(gzip.decompress((SAMPLES / f"{NAME}.otlp.jsonl.gz").read_bytes())[: 1 << 14])  # fits into any pipe
        until(lambda: bool(list(tmp_path.glob("new/.d.duckdb.*/dataset.duckdb"))), "a dataset is begun")
        until(lambda: unread(reading) == 0, "the command has read all that there is")
        command.send_signal(sent)
        assert command.wait(timeout=120) == 130
    os.close(reading)
    assert command.stderr is not None
    assert command.stderr.read() == b""
    assert list(tmp_path.iterdir()) == []


def test_the_version_says_program_and_dataset_format() -> None:
    from overbudget.store import versions

    said = call("--version").stdout
    assert said == f"overbudget {versions.PROGRAM} (dataset format {versions.FORMAT}, method {versions.METHOD})\n"


LOADED = (
    "import sys; from overbudget.app.cli import _run\n"
    "sys.argv = ['overbudget', *sys.argv[1:]]\n"
    "try: _run()\n"
    "except SystemExit: pass\n"
    "print(*sys.modules, file=sys.stderr)"
)


def loaded(*arguments: str) -> set[str]:
    """The packages that a command loads."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stderr.splitlines()[-1].split()}


def test_review_and_check_without_rules_of_ones_own_load_no_compiler_and_nothing_of_the_dashboard(dataset: str) -> None:
    for command in (["review", dataset], ["review", dataset, "--json"], ["check", dataset, "--budget", BUDGET]):
        found = loaded(*command)
        assert "duckdb" in found
        assert not found & {"numba", "llvmlite", "scipy", "plotly", "pandas", "streamlit"}, command


def test_help_loads_no_database_and_no_arrays() -> None:
    for command in (["--help"], ["review", "--help"], ["--version"]):
        assert not loaded(*command) & {
            "duckdb",
            "numpy",
            "pyarrow",
            "numba",
            "scipy",
            "plotly",
            "pandas",
            "streamlit",
        }, command
