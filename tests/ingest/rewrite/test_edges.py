"""Merging and stitching at their edges: numbers of scopes, callers that last exactly as long."""

import json
from pathlib import Path

from overbudget.ingest.pipeline import ingest
from overbudget.ingest.rewrite.merge import merge
from overbudget.ingest.rewrite.stitch import _joins, _Span
from overbudget.store.dataset import open_dataset


def one_span(path: Path, number: int, scopes: list[str]) -> Path:
    """A dataset with a span for each scope."""
    spans = [
        {
            "scope": {"name": scope, "version": f"{number}"},
            "spans": [
                {
                    "traceId": f"{number:016x}{place + 1:016x}", "spanId": f"{place + 1:016x}", "name": "work",
                    "startTimeUnixNano": "1790000000000000000", "endTimeUnixNano": "1790000001000000000",
                }
            ],
        }
        for place, scope in enumerate(scopes)
    ]  # fmt: skip
    dump = path.with_suffix(".json")
    dump.write_text(json.dumps({"resourceSpans": [{"scopeSpans": spans}]}))
    ingest([dump], path)
    return path


def test_spans_keep_their_scope_and_resource_in_a_merge(tmp_path: Path) -> None:
    first = one_span(tmp_path / "a.duckdb", 1, ["a", "b"])
    second = one_span(tmp_path / "b.duckdb", 2, ["c", "a", "d"])
    what = "SELECT trace_id, scope_name, scope_version, service_name, source FROM spans ORDER BY ALL"
    expected = [row for path in (first, second) for row in open_dataset(path).execute(what).fetchall()]
    merge(first, second, tmp_path / "both.duckdb")
    assert open_dataset(tmp_path / "both.duckdb").execute(what).fetchall() == sorted(expected)


def span(request: int, start: int, end: int, service: str, entry: bool = False) -> _Span:
    return _Span(request, f"t{request}", f"{request}-{start}", start, end, service, "CLIENT", None, False, entry)


def joined(caller: tuple[int, int], inner: tuple[int, int]) -> list[str]:
    """The parents that the inner request is given, where the outer one made one call."""
    spans = [span(1, 0, 10, "edge", entry=True), span(1, *caller, "api"), span(2, *inner, "search", entry=True)]
    return [join.parent for join in _joins(spans)]


def test_a_caller_lasts_at_least_as_long_as_what_it_called() -> None:
    assert joined((20, 50), (21, 51)) == ["1-20"]  # as long, on a clock of its own
    assert joined((20, 49), (21, 51)) == []


def test_a_caller_that_ended_as_the_other_began_did_not_wait_for_it() -> None:
    assert joined((20, 50), (50, 60)) == []
    assert joined((20, 50), (49, 60)) == ["1-20"]
    assert joined((60, 90), (40, 60)) == []
