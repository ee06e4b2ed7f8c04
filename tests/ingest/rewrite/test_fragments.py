"""Pieces of a run that are traces of their own, joined to the run."""

from pathlib import Path
from typing import Any

import duckdb
import pytest

from overbudget.analysis.health.audit import audit
from overbudget.ingest.rewrite.stitch import MARK, stitch
from overbudget.store.dataset import open_dataset
from tests.analysis.health.test_audit import audited, span
from tests.analysis.health.test_runs import CHAT, TOOL, step

AGENT = {"gen_ai.operation.name": "invoke_agent"}


def linked(one: dict[str, Any], trace: int, to: int) -> dict[str, Any]:
    """The span with a link to span `to` of another trace."""
    return {**one, "links": [{"traceId": f"{trace:032x}", "spanId": f"{to:016x}"}]}


def stitched(
    tmp_path: Path, *spans: dict[str, Any], by_conversation: bool = True
) -> tuple[int, duckdb.DuckDBPyConnection]:
    """How many requests were joined, and the dataset then."""
    audited(tmp_path, *spans)
    joined = stitch(tmp_path / "d.duckdb", tmp_path / "whole.duckdb", by_conversation)
    return joined, open_dataset(tmp_path / "whole.duckdb")


def parents(connection: duckdb.DuckDBPyConnection) -> dict[int, int | None]:
    """Of each span, by number, which one is its parent."""
    rows = connection.sql(
        "SELECT span_id, parent_span_id FROM data.spans WHERE end_ns IS NOT NULL ORDER BY span_no"
    ).fetchall()
    return {int(span_id, 16): parent and int(parent, 16) for span_id, parent in rows}


def test_pieces_become_children_of_the_span_that_ran_around_them(tmp_path: Path) -> None:
    """
    run          [==================]
      agent       [===========]
        model      [=]              (a leaf: nobody's parent)
    chat           [=]
    tool              [===]
    chat                       [==]
    """
    joined, whole = stitched(
        tmp_path,
        step(1, 0, 3000, AGENT),
        span(11, 1, 100, 2000, trace=1, about=AGENT),
        span(12, 11, 150, 500, trace=1, about=CHAT),
        step(2, 200, 400),
        step(3, 600, 1900, TOOL),
        step(4, 2100, 2900),
    )
    assert joined == 3
    assert parents(whole) == {1: None, 11: 1, 12: 11, 2: 11, 3: 11, 4: 1}
    assert whole.sql("SELECT count(*), sum(duration_ns) FROM requests").fetchall() == [(1, 3_000_000_000)]
    assert whole.sql(f"SELECT count(*) FROM spans WHERE attributes['{MARK}'] IS NOT NULL").fetchall() == [(3,)]
    assert "fragments" not in {problem.code for problem in audit(whole).problems}


def test_a_conversation_joins_only_where_that_is_asked_for(tmp_path: Path) -> None:
    spans = step(1, 0, 3000, AGENT), step(2, 200, 400)
    assert stitched(tmp_path, *spans, by_conversation=False)[0] == 0


def test_links_join_without_being_asked_for_and_through_other_pieces(tmp_path: Path) -> None:
    first = linked(step(2, 200, 400, run=None), 1, 1)
    second = linked(step(3, 450, 900, TOOL, run=None), 2, 2)
    joined, whole = stitched(tmp_path, span(1, None, 0, 3000), first, second, by_conversation=False)
    assert (joined, parents(whole)) == (2, {1: None, 2: 1, 3: 1})


def test_a_link_to_what_ended_more_than_a_second_ago_joins_nothing(tmp_path: Path) -> None:
    late = linked(step(2, 1001 + 500, 2000, run=None), 1, 1)
    assert stitched(tmp_path, span(1, None, 0, 500), late)[0] == 0


def test_a_request_id_joins_steps_of_the_same_service(tmp_path: Path) -> None:
    cut = {"request.id": "r-1"}
    spans = span(1, None, 0, 1000, trace=1, about=cut), step(2, 100, 900, {**CHAT, **cut}, run=None)
    joined, whole = stitched(tmp_path, *spans, by_conversation=False)
    assert (joined, parents(whole)) == (1, {1: None, 2: 1})


def test_pieces_without_a_run_around_them_become_one_incomplete_request(tmp_path: Path) -> None:
    joined, whole = stitched(
        tmp_path, step(1, 0, 900), step(2, 1000, 1500, TOOL), step(3, 1600, 2000), step(4, 9000, 9500)
    )
    assert joined == 2
    rows = "SELECT complete, duration_ns // 1000000, entry FROM requests ORDER BY start_ns"
    assert whole.sql(rows).fetchall() == [(False, 2000, "missing"), (True, 500, "whole")]
    assert whole.sql("SELECT count(*) FROM data.spans WHERE end_ns IS NOT NULL").fetchall() == [(4,)]
    assert stitch(tmp_path / "whole.duckdb", by_conversation=True) == 0


@pytest.mark.parametrize(("pause", "joined"), [(0, 1), (1000, 1), (1001, 0)])
def test_a_piece_belongs_to_the_run_that_ended_within_a_second_before(tmp_path: Path, pause: int, joined: int) -> None:
    found, whole = stitched(tmp_path, step(1, 0, 900, AGENT), step(2, 900 + pause, 5000))
    assert (found, parents(whole)[2]) == (joined, 1 if joined else None)


def test_where_two_runs_of_a_conversation_run_at_once_nobody_knows_whose_piece_it_is(tmp_path: Path) -> None:
    two = step(1, 0, 3000, AGENT), step(2, 100, 2500, AGENT)
    joined, whole = stitched(tmp_path, *two, step(3, 200, 900), step(4, 2500, 2900))
    assert (joined, parents(whole)) == (1, {1: None, 2: None, 3: None, 4: 1})  # at 2500 only the first still runs


def test_a_request_of_a_server_is_no_piece(tmp_path: Path) -> None:
    assert stitched(tmp_path, step(1, 0, 3000, AGENT), step(2, 200, 400, kind=2))[0] == 0


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    one, other = linked(step(1, 0, 500, run=None), 2, 2), linked(step(2, 0, 500, run=None), 1, 1)
    assert stitched(tmp_path, one, other, by_conversation=False)[0] == 0
