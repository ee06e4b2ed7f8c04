"""Trace health: every problem is found where it is, and none where nothing is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from overbudget.analysis.health.audit import Audit, audit
from overbudget.app.server.workspace import SAMPLES
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset

START = 1_700_000_000_000_000_000
MS = 1_000_000


def span(number: int, parent: int | None, start: int, end: int | None, trace: int = 1, **more: Any) -> dict[str, Any]:
    """A span from ms `start` to `end`; `service`, `kind` and attributes by name."""
    made = {
        "service": more.pop("service", "api"),
        "traceId": f"{trace:032x}",
        "spanId": f"{number:016x}",
        "name": more.pop("name", f"span {number}"),
        "kind": more.pop("kind", 1),
        "startTimeUnixNano": str(START + start * MS),
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in more.pop("about", {}).items()],
    }
    if parent is not None:
        made["parentSpanId"] = f"{parent:016x}"
    if end is not None:
        made["endTimeUnixNano"] = str(START + end * MS)
    return made


def audited(tmp_path: Path, *spans: dict[str, Any]) -> Audit:
    by_service: dict[str, list[dict[str, Any]]] = {}
    for one in spans:
        by_service.setdefault(one["service"], []).append({k: v for k, v in one.items() if k != "service"})
    record = {
        "resourceSpans": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
                "scopeSpans": [{"spans": there}],
            }
            for service, there in by_service.items()
        ]
    }
    (tmp_path / "dump.json").write_text(json.dumps(record))
    ingest([tmp_path / "dump.json"], tmp_path / "d.duckdb")
    return audit(open_dataset(tmp_path / "d.duckdb"))


LLM = {"gen_ai.operation.name": "chat"}
REQUEST_ID = {"request.id": "r-1"}


def whole(number: int, trace: int, about: dict[str, str] | None = None, start: int = 0) -> list[dict[str, Any]]:
    """A request in which inference takes nearly all of the time."""
    return [
        span(number, None, start, start + 100, trace, about=about or {}, name="POST /chat"),
        span(number + 1, number, start + 1, start + 99, trace, about=LLM, name="chat"),
    ]


CASES: dict[str, tuple[list[dict[str, Any]], int]] = {
    "covering_span": (
        [
            span(1, None, 0, 1_000, name="turn"),
            span(2, 1, 0, 901, name="heartbeat"),
            span(3, 1, 100, 999, name="chat", about=LLM),
        ],
        1,
    ),
    "stream_not_covered": (
        [span(1, None, 0, 1_000), span(2, 1, 10, 25, name="chat", about={**LLM, "llm.is_streaming": "true"})],
        1,
    ),
    "orphan_span": ([*whole(1, 1), span(9, 77, 10, 20)], 1),
    "no_root": ([span(2, 1, 0, 100, about=LLM), span(3, 1, 20, 90, about=LLM)], 1),
    "clipped": ([*whole(1, 1), span(9, 1, -10, 20, about=LLM)], 1),
    "multiple_roots": ([*whole(1, 1), *whole(5, 1)], 2),
    "lost_context": (
        [*whole(1, 1, REQUEST_ID), span(5, None, 10, 90, trace=2, service="model", kind=2, about={**LLM, **REQUEST_ID})],
        1,
    ),
    "request_id_stops": (
        [*whole(1, 1, REQUEST_ID), span(5, 2, 10, 90, service="model", kind=2, about=LLM)],
        1,
    ),
    "no_end": ([*whole(1, 1), span(9, 1, 10, None)], 1),
    "negative_duration": ([*whole(1, 1), span(9, 1, 20, 10)], 1),
    "clock_skew": ([*whole(1, 1), span(9, 2, 500, 540, service="model", kind=2)], 1),
    "duplicate_span": ([*whole(1, 1), whole(1, 1)[1]], 1),
    "unattributed_time": ([span(1, None, 0, 100), span(2, 1, 0, 49, about=LLM)], 1),
    "outlived_request": ([*whole(1, 1), span(9, 1, 90, 130)], 1),
    "missing_stage": (
        [
            one
            for number in range(30)
            for one in [
                *whole(10 * number + 1, number + 1, start=200 * number),
                *(
                    [span(10 * number + 5, 10 * number + 1, 200 * number, 200 * number + 1, number + 1,
                          about={"openinference.span.kind": "RETRIEVER"})]
                    if number
                    else []
                ),
            ]
        ],
        1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("code", CASES)
def test_each_problem_is_found_alone(code: str, tmp_path: Path) -> None:
    spans, count = CASES[code]
    found = {problem.code: problem for problem in audited(tmp_path, *spans).problems}
    assert set(found) == {code}
    assert found[code].count == count
    assert "trace 0000" in found[code].example
    assert found[code].means.endswith(".")
    assert found[code].remedy.endswith(".")


def test_a_sound_trace_has_no_problem(tmp_path: Path) -> None:
    found = audited(tmp_path, *whole(1, 1, REQUEST_ID), *whole(5, 2, {"request.id": "r-2"}))
    assert (found.requests, found.complete, found.problems) == (2, 2, ())


def test_the_sample_with_lost_context_is_told_and_the_healthy_one_is_not(tmp_path: Path) -> None:
    codes = {}
    for name in ("healthy", "lost_context"):
        ingest([SAMPLES / f"{name}.otlp.jsonl.gz"], tmp_path / f"{name}.duckdb")
        found = audit(open_dataset(tmp_path / f"{name}.duckdb"))
        codes[name] = {problem.code: problem.count for problem in found.problems}
    truth = json.loads((SAMPLES / "lost_context.truth.json").read_text())
    assert codes["healthy"] == {}
    assert codes["lost_context"]["lost_context"] == truth["happened"]["lost_contexts"]


def test_a_span_that_covers_nine_tenths_has_children_or_no_classified_sibling_is_no_covering_span(
    tmp_path: Path,
) -> None:
    just = [span(1, None, 0, 1_000, name="turn"), span(2, 1, 0, 900, name="beat"), span(3, 1, 1, 99, about=LLM)]
    parent = [
        span(1, None, 0, 1_000, 2, name="turn"),
        span(2, 1, 0, 999, 2, name="step"),
        span(4, 2, 1, 9, 2),
        span(3, 1, 1, 99, 2, about=LLM),
    ]
    alone = [span(1, None, 0, 1_000, 3, name="turn"), span(2, 1, 0, 999, 3, name="step")]
    found = {problem.code for problem in audited(tmp_path, *just, *parent, *alone).problems}
    assert "covering_span" not in found


STREAMED = {**LLM, "gen_ai.request.stream": "true"}


@pytest.mark.parametrize(
    ("chat", "after", "told"),
    [
        (span(2, 1, 0, 499, name="chat", about=STREAMED), [], True),
        (span(2, 1, 0, 500, name="chat", about=STREAMED), [], False),  # as long as what follows
        (span(2, 1, 0, 499, name="chat", about={**STREAMED, "gen_ai.usage.output_tokens": "7"}), [], False),
        (span(2, 1, 0, 499, name="chat", about={**LLM, "gen_ai.request.stream": "false"}), [], False),
        (span(2, 1, 0, 499, name="chat", about=STREAMED), [span(3, 1, 500, 990, name="save")], False),
        (span(2, 1, 0, 499, name="save", about={"llm.is_streaming": "true"}), [], False),
    ],
)
def test_a_streamed_call_is_told_where_its_request_runs_on_longer_with_nothing_recorded(
    chat: dict[str, Any], after: list[dict[str, Any]], told: bool, tmp_path: Path
) -> None:
    found = {problem.code for problem in audited(tmp_path, span(1, None, 0, 999), dict(chat), *after).problems}
    assert ("stream_not_covered" in found) == told
    assert not ("stream_not_covered" in found and "unattributed_time" in found), "one cause, one remedy"
