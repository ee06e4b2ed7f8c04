"""What a request waits for a person is known to the nanosecond, and is no latency."""

import json
from pathlib import Path

import numpy as np
import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.requests.read import read_requests
from overbudget.analysis.requests.stored import load_path
from overbudget.analysis.review.review import review
from overbudget.app.text.notes import notes
from overbudget.ingest.pipeline import ingest
from overbudget.kernels.columns import Segments
from overbudget.stages.assign import stage_of_nodes
from overbudget.stages.classify import by_default
from overbudget.stages.hop_stages import stage_of_calls
from overbudget.stages.names import DEFAULT_STAGES
from overbudget.stages.waits_for_person import USER, Waits, not_waiting_in_flight, waits_among, waits_for_person
from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError
from tests.analysis.requests.test_entries import resource, span
from tests.trace_picture import MS, Drawn, draw

REST = len(DEFAULT_STAGES)  # unattributed


def told(drawn: Drawn) -> tuple[Segments, np.ndarray]:  # type: ignore[type-arg]
    stage_of = stage_of_nodes(drawn.tree, drawn.operations, REST)
    stage = stage_of[drawn.segments.node]
    return waits_for_person(drawn.segments, stage, drawn.tree, stage_of, drawn.request_of, REST)


def waits(picture: str) -> list[tuple[int, int]]:
    """Start and end (ms) of the waits for a person; that the segments still tile the request is held on the way."""
    drawn = draw(picture)
    segments, stage = told(drawn)
    assert segments.start[0] == drawn.tree.start[drawn.requests.entry[0]]
    assert segments.end[-1] == drawn.tree.end[drawn.requests.entry[0]]
    assert (segments.start[1:] == segments.end[:-1]).all()
    found = waits_among(segments, stage)
    return [
        ((int(a) - drawn.origin) // MS, (int(b) - drawn.origin) // MS)
        for a, b in zip(found.start, found.end, strict=True)
    ]


def test_all_of_an_awaited_prompt_is_a_wait() -> None:
    picture = """
        request   [==========]
          prompt  ..[=====]     stage=user
          chat    .........[=]  stage=inference
    """
    assert waits(picture) == [(2, 9)]


def test_time_in_which_other_work_of_the_request_runs_is_none() -> None:
    picture = """
        request   [============]
          prompt  ..[========]    stage=user
          tool    ....[==]        stage=tools
    """
    assert waits(picture) == [(2, 4), (8, 12)]


def test_work_that_touches_the_wait_takes_nothing_of_it() -> None:
    picture = """
        request   [============]
          before  []              stage=tools
          prompt  ..[========]    stage=user
          after   ............[]  stage=tools
    """
    assert waits(picture) == [(2, 12)]


def test_spans_around_other_spans_and_unclassified_ones_are_no_work() -> None:
    picture = """
        request    [============]
          agent    .[==========]    stage=orchestration
            prompt ..[========]     stage=user
          log      ...[====]
    """
    assert waits(picture) == [(2, 12)]


def test_what_runs_below_the_prompt_is_part_of_the_wait() -> None:
    picture = """
        request   [============]
          prompt  ..[========]    stage=user
            http  ....[==]        client
    """
    assert waits(picture) == [(2, 4), (4, 8), (8, 12)]


def test_two_calls_that_overlap_leave_what_neither_covers() -> None:
    picture = """
        request   [==============]
          prompt  [============]    stage=user
          one     ..[====]          stage=tools
          two     .....[====]       stage=inference
    """
    assert waits(picture) == [(0, 2), (11, 14)]


def test_a_prompt_that_the_request_is_not_known_to_await_is_no_wait() -> None:
    picture = """
        request   [==========]
          prompt  ..[=============]  stage=user
          chat    ...[===]           stage=inference
    """
    drawn = draw(picture)
    offered = drawn.segments._replace(
        awaited=np.zeros(len(drawn.segments.node), bool),
        while_running=np.full(len(drawn.segments.node), -1, np.int32),
        node=np.full(len(drawn.segments.node), 1, np.int32),
    )
    stage_of = stage_of_nodes(drawn.tree, drawn.operations, REST)
    assert stage_of[1] == USER
    _, stage = waits_for_person(offered, stage_of[offered.node], drawn.tree, stage_of, drawn.request_of, REST)
    assert set(stage.tolist()) == {REST}


def test_nothing_changes_where_nobody_is_asked() -> None:
    drawn = draw("request [====]\n  chat .[=] stage=inference")
    segments, stage = told(drawn)
    assert segments is drawn.segments
    assert USER not in stage


def test_waits_agree_with_counting_each_millisecond_on_random_requests() -> None:
    rng = np.random.default_rng(5)
    some = 0
    for _ in range(150):
        lines = ["request [" + "=" * 38 + "]"]
        work, asked = [], []
        for number in range(int(rng.integers(2, 7))):
            start, length = int(rng.integers(0, 30)), int(rng.integers(2, 10))
            stage = str(rng.choice(["user", "user", "tools", "inference", ""]))
            lines.append(
                f"  s{number} " + "." * start + "[" + "=" * (length - 2) + "]" + (f" stage={stage}" if stage else "")
            )
            (asked if stage == "user" else work if stage else []).append((start, start + length))
        column = max(line.index("[") - line.count(".") for line in lines)
        picture = "\n".join(
            line.split(" ")[0] + " " * (column - len(line.split(" ")[0])) + line.split(" ", 1)[1]
            if not line.startswith("  ")
            else line[:4] + " " * (column - 4) + line[4:].lstrip(" ")
            for line in lines
        )
        drawn = draw(picture)
        segments, stage = told(drawn)
        found = waits_among(segments, stage)
        total = int((found.end - found.start).sum())
        stage_of = stage_of_nodes(drawn.tree, drawn.operations, REST)
        expected = 0
        for i, node in enumerate(drawn.segments.node):
            if stage_of[node] != USER or not drawn.segments.awaited[i]:
                continue
            a, b = ((int(t[i]) - drawn.origin) // MS for t in (drawn.segments.start, drawn.segments.end))
            expected += sum(not any(s <= at < e for s, e in work) for at in range(a, b))
        assert total == expected * MS, picture
        assert int((segments.end - segments.start).sum()) == 40 * MS
        some += expected > 0
    assert some > 50


def test_who_waits_for_a_person_is_not_in_flight() -> None:
    starts, ends = np.array([0, 5, 20, 30]), np.array([40, 10, 25, 50])
    person = Waits(np.array([0, 3], np.int32), np.array([4, 30]), np.array([22, 35]))
    assert not_waiting_in_flight(starts, ends, []).tolist() == [0, 1, 1, 1]
    assert not_waiting_in_flight(starts, ends, [person]).tolist() == [0, 0, 0, 1]


def test_a_hop_is_never_decided_to_be_a_wait_for_a_person() -> None:
    times = np.zeros(REST + 1, np.int64)
    times[USER] = 100
    assert stage_of_calls({(0, 1): times}) == {}
    times[USER], times[0] = 0, 100
    assert stage_of_calls({(0, 1): times}) == {(0, 1): 0}


ASKS = [
    "claude_code.tool.blocked_on_user",
    "permission prompt",
    "human_input",
    "execute_tool AskUserQuestion",
    "HumanApproval",
]
ASKS_NOBODY = [
    *(
        "prompt_user",
        "human_input_parser",
        "user",
        "user_service.get",
        "format human approval",
        "approval_rate",
        "blocked",
    ),
    *("get_user_permission", "input", "execute_tool ask", "await", "humanize", "POST /human_input"),
]


@pytest.mark.parametrize("name", ASKS)
def test_names_that_say_that_a_person_is_asked(name: str) -> None:
    assert by_default(name, "INTERNAL", {}).stage == "user"
    assert by_default(name, "INTERNAL", {"gen_ai.operation.name": "execute_tool"}).stage == "user"
    assert by_default(name, "SERVER", {}).stage != "user"


@pytest.mark.parametrize("name", ASKS_NOBODY)
def test_names_that_only_look_so(name: str) -> None:
    assert by_default(name, "INTERNAL", {}).stage != "user"


def test_conventions_say_that_a_person_is_asked() -> None:
    assert by_default("elicitation/create", "CLIENT", {"mcp.method.name": "elicitation/create"}).stage == "user"
    assert by_default("wait", "INTERNAL", {"gen_ai.operation.name": "await_human_input"}).stage == "user"


def asked(folder: Path) -> Path:
    """60 requests that take 110 ms and wait 1 to 60 s for a person; a tool of 10 ms runs in the first of it.

    POST /agent  [====...================]
      chat       [==]
      sign off   ....[=====...====]
      ls         ....[=]
    """
    spans = []
    for number in range(60):
        wait, at = (number * 37 % 60 + 1) * 1000 + 10, number * 100_000
        spans += [
            span(1, None, at, at + wait + 100, number + 1, name="POST /agent", kind=2),
            span(2, 1, at, at + 80, number + 1, name="chat m", about={"gen_ai.operation.name": "chat"}),
            span(3, 1, at + 80, at + 80 + wait, number + 1, name="sign off"),
            span(4, 1, at + 80, at + 90, number + 1, name="ls", about={"gen_ai.operation.name": "execute_tool"}),
        ]
    (folder / "d.json").write_text(json.dumps({"resourceSpans": [resource(*spans)]}))
    ingest([folder / "d.json"], folder / "d.duckdb")
    return folder / "d.duckdb"


def test_a_budget_names_who_is_asked_and_every_figure_follows(tmp_path: Path) -> None:
    connection = open_dataset(asked(tmp_path))
    budget = parse_budget('[budget]\np90 = "200ms"\n[stages.user]\nmatch = { name = "sign off" }')
    assert read_requests(connection).latency_ns.min() > 1000 * MS
    for rules in (budget, parse_budget(budget_text(budget_request=True))):
        table = read_requests(connection, rules)
        assert sorted(table.user_ns.tolist()) == [number * 1000 * MS for number in range(1, 61)]
        assert set(table.latency_ns.tolist()) == {110 * MS}
        assert (table.stage_ns.sum(axis=1) == table.latency_ns).all()
        path = load_path(connection, table)
        assert int(path.duration_ns.sum()) == int(table.latency_ns.sum())
    found = review(connection, budget)
    assert [row.verdict for row in found.end_to_end if row.percentile == 90] == ["within"]
    assert all(stage.stage != "user" for made_of in found.breakdown for stage in made_of.stages)
    assert all(row.stage != "user" for row in found.stages)
    assert found.waited is not None
    assert (found.waited.requests, found.waited.median_ns, found.waited.longest_ns) == (60, 30_500 * MS, 60_000 * MS)
    assert any("60 of 60 requests waited for a person" in note for note in notes(found))


def budget_text(budget_request: bool) -> str:
    named = '[request]\nmatch = { name = "POST /agent" }\n' if budget_request else ""
    return f'{named}[stages.user]\nmatch = {{ name = "sign off" }}'


def test_waiting_for_a_person_has_no_cap() -> None:
    for text in ('[stages.user]\np95 = "1s"', '[routes."GET /".stages.user]\np95 = "1s"'):
        with pytest.raises(OverbudgetError, match="not part of latency"):
            parse_budget(text)


def test_a_budget_can_say_that_nobody_is_asked(tmp_path: Path) -> None:
    spans = [
        span(1, None, 0, 100, name="POST /agent", kind=2),
        span(2, 1, 10, 90, name="permission prompt"),
    ]
    (tmp_path / "d.json").write_text(json.dumps({"resourceSpans": [resource(*spans)]}))
    ingest([tmp_path / "d.json"], tmp_path / "d.duckdb")
    connection = open_dataset(tmp_path / "d.duckdb")
    assert read_requests(connection).latency_ns.tolist() == [20 * MS]
    assert connection.execute("SELECT user_ns, latency_ns, duration_ns FROM requests").fetchall() == [
        (80 * MS, 20 * MS, 100 * MS)
    ]
    robot = parse_budget('[stages.tools]\nmatch = { name = "permission prompt" }')
    assert read_requests(connection, robot).latency_ns.tolist() == [100 * MS]
