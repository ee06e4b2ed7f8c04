"""What every command prints with --json, over samples and small datasets chosen so that every key occurs."""

import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import typer

from overbudget.app.cli import app
from overbudget.app.server.workspace import SAMPLES
from overbudget.ingest.pipeline import ingest

ROUTES = """
first_token = { p95 = "100ms", max = "150ms" }
models."*".call_first_token = { p95 = "100ms", max = "150ms" }
models.unknown.call_per_output_token.max = "1s"
stages.inference.call_per_output_token.p95 = "1ms"
objective.within = 0.99
[routes."POST /chat"]
p95 = "1s"
first_token.p95 = "500ms"
stages.retrieval.p95 = "100ms"
"""
BROKEN = "not a dump\n"  # a line that a dump may contain, so that ingest has something to warn about
SPAN = {
    "traceId": "1" * 32,
    "spanId": "2" * 16,
    "name": "GET /one",
    "startTimeUnixNano": "1790000000000000000",
    "endTimeUnixNano": "1790000001000000000",
}

Answers = dict[str, list[Any]]


def read_answers(folder: Path) -> Answers:
    """For each command every document that it printed; `folder` takes the datasets."""
    (folder / "one.json").write_text(
        json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}]}) + "\n" + BROKEN
    )
    (folder / "routes.toml").write_text(ROUTES)
    one, tenant, several, cut, ramp, some = (
        folder / f"{name}.duckdb" for name in ("one", "tenant", "several", "cut", "ramp", "some")
    )
    found: Answers = {"ingest": [printed("ingest", folder / "one.json", "--to", one)]}
    ingest([_sample("slow_database_tenant")], tenant)
    ingest([_sample("streamed_answers"), _sample("tools_in_a_row"), _sample("erratic_big_model")], several)
    ingest([_sample("lost_context")], cut)
    ingest([_sample("load_ramp")], ramp)
    ingest([_sample("load_ramp")], some, sampled=0.1)
    budget = SAMPLES / "slow_database_tenant.budget.toml"
    for answers in (of_dataset(one), of_dataset(tenant, budget), of_dataset(several, folder / "routes.toml")):
        for command, documents in answers.items():
            found.setdefault(command, []).extend(documents)
    ramp_budget, tight = SAMPLES / "load_ramp.budget.toml", folder / "tight.toml"
    tight.write_text('[budget]\np95 = "1ms"\n')
    lost = folder / "lost.duckdb"
    (folder / "lost.json").write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": _with_an_orphan()}]}]}))
    ingest([folder / "lost.json"], lost)
    half, halves = folder / "half.toml", folder / "halves.duckdb"
    half.write_text('[budget]\np95 = "700ms"\n[first_token]\nmax = "1s"\n')  # which no request here records
    (folder / "halves.json").write_text(json.dumps({"resourceSpans": _of_two_versions(_in_two_halves())}))
    ingest([folder / "halves.json"], halves)
    asked = folder / "asked.duckdb"
    (folder / "asked.json").write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": _with_a_prompt()}]}]}))
    ingest([folder / "asked.json"], asked)
    # somebody is asked, cut in pieces, too alike, all slow, lost spans, two parts of which either may be why
    for dataset, held in (
        (asked, tight),
        (cut, tight),
        (ramp, ramp_budget),
        (one, tight),
        (lost, tight),
        (halves, half),
    ):
        for command in ("review", "check"):
            found[command].append(printed(command, dataset, "--budget", held))
    found["compare"] = [printed("compare", tenant, other, "--budget", budget) for other in (several, one)]
    found["whatif"] += [printed("whatif", dataset, "--scale", "queue=0") for dataset in (ramp, some)]
    found["allocate"] = [
        printed("allocate", dataset, "--total", f"p95={total}")
        for dataset, total in ((tenant, "1.9s"), (ramp, "2s"), (ramp, "1ms"))
    ]
    found["audit"].append(printed("audit", cut, "--stitch", "--to", folder / "stitched.duckdb"))
    return found


def _with_an_orphan() -> list[dict[str, str]]:
    return [SPAN, {**SPAN, "spanId": "3" * 16, "parentSpanId": "4" * 16, "name": "lost its parent"}]


def _with_a_prompt() -> list[dict[str, str]]:
    prompt = {**SPAN, "spanId": "3" * 16, "parentSpanId": SPAN["spanId"], "name": "permission prompt"}
    return [SPAN, {**prompt, "endTimeUnixNano": str(int(SPAN["startTimeUnixNano"]) + 10**8)}]


def _in_two_halves() -> list[dict[str, str]]:
    """A hundred requests of a second, each in two calls of about half of it."""
    start, spans = int(SPAN["startTimeUnixNano"]), []
    for number in range(100):
        begins = start + number * 10**9
        for place, (since, until) in enumerate(((0, 1_000), (0, 480), (500, 980))):
            spans.append(
                {
                    **SPAN,
                    "traceId": f"{number + 1:032x}",
                    "spanId": f"{number * 3 + place + 1:016x}",
                    **({"parentSpanId": f"{number * 3 + 1:016x}", "name": f"half {place}"} if place else {}),
                    "startTimeUnixNano": str(begins + since * 10**6),
                    "endTimeUnixNano": str(begins + until * 10**6),
                }
            )
    return spans


def _of_two_versions(spans: list[dict[str, str]]) -> list[dict[str, Any]]:
    """The first half of the spans of one version of a service, the others of the next."""
    return [
        {
            "resource": {"attributes": [{"key": "service.version", "value": {"stringValue": version}}]},
            "scopeSpans": [{"spans": part}],
        }
        for version, part in (("1.4", spans[: len(spans) // 2]), ("1.5", spans[len(spans) // 2 :]))
    ]


def of_dataset(dataset: Path, budget: Path | None = None) -> Answers:
    """What the commands that look at one dataset print of it, with and without a budget."""
    held = ("--budget", budget) if budget else ()
    first = printed("sql", dataset, "SELECT trace_id, duration_ns FROM requests ORDER BY duration_ns DESC LIMIT 1")
    return {
        **{command: [printed(command, dataset, *held)] for command in ("tail", "advise", "load", "consistency")},
        "review": [printed("review", dataset, *options) for options in {(), held}],
        "check": [printed("check", dataset, *held)] if held else [],
        "whatif": [printed("whatif", dataset, *held, "--scale", "inference=0.5", "--drop-retries")],
        "audit": [printed("audit", dataset)],
        "sql": [first],
        "trace": [printed("trace", dataset, row["trace_id"]) for row in first],
    }


def _sample(name: str) -> Path:
    return SAMPLES / f"{name}.otlp.jsonl.gz"


def printed(*arguments: object) -> Any:
    """The JSON that a command prints."""
    out = io.StringIO()
    with redirect_stdout(out):
        typer.main.get_command(app)([str(one) for one in (*arguments, "--json")], standalone_mode=False)
    return json.loads(out.getvalue())
