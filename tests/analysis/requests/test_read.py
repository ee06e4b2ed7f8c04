"""Which requests a review looks at, and how long their stages took, by the stored rules and by a budget's own."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import numpy as np
import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.budget.model import Budget
from overbudget.analysis.causes.causes import find_causes
from overbudget.analysis.common.bands import Band
from overbudget.analysis.requests.read import load_requests, read_requests, require_known
from overbudget.analysis.requests.stored import load_path
from overbudget.analysis.requests.table import BAD, GOOD, UNKNOWN, Filters, RequestTable, iso
from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError
from tests.dataset_builder import FIRST_START_NS, MS, DatasetBuilder, S, Work

Opener = Callable[[DatasetBuilder], duckdb.DuckDBPyConnection]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opener]:
    """Write a dataset and open it read-only."""
    connections: list[duckdb.DuckDBPyConnection] = []

    def write_and_open(builder: DatasetBuilder) -> duckdb.DuckDBPyConnection:
        connections.append(open_dataset(builder.write(tmp_path / f"{len(connections)}.duckdb")))
        return connections[-1]

    yield write_and_open
    for connection in connections:
        connection.close()


def some_requests() -> DatasetBuilder:
    builder = DatasetBuilder()
    builder.request(
        Work("retrieval", 40 * MS, "SELECT docs"), Work("inference", 300 * MS, "chat"), rest_ns=10 * MS, model="small"
    )
    builder.request(Work("inference", 500 * MS, "chat"), rest_ns=5 * MS, model="big", status="ERROR")
    builder.request(Work("tools", 20 * MS, "call"), Work("tools", 30 * MS, "call"), route="GET /tools", service="edge")
    builder.request(Work("retrieval", 7 * MS, "SELECT docs"), complete=False)
    return builder


def stage(table: RequestTable, name: str) -> list[float]:
    """A stage's time in every request, in ms."""
    return (table.stage_ns[:, table.stages.index(name)] / MS).tolist() if name in table.stages else []


def test_stage_times_are_zero_where_a_stage_is_absent_and_sum_to_the_latency(opened: Opener) -> None:
    table = read_requests(opened(some_requests()))
    assert stage(table, "retrieval") == [40, 0, 0, 7]
    assert stage(table, "inference") == [300, 500, 0, 0]
    assert stage(table, "tools") == [0, 0, 50, 0]
    assert stage(table, "unattributed") == [10, 5, 0, 0]
    assert table.stage_ns.sum(1).tolist() == table.latency_ns.tolist()
    present = dict(zip(table.stages, table.present, strict=True))
    assert present["tools"]
    assert not present["safety"]


def test_incomplete_requests_are_counted_and_left_out_unless_asked_for(opened: Opener) -> None:
    connection = opened(some_requests())
    assert (len(load_requests(connection)), load_requests(connection).incomplete) == (3, 1)
    everything = load_requests(connection, include_incomplete=True)
    assert (len(everything), everything.incomplete) == (4, 0)
    assert load_requests(connection, filters=Filters(route="GET /tools")).incomplete == 0


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        (Filters(), [0, 1, 2]),
        (Filters(route="POST /chat"), [0, 1]),
        (Filters(route=["GET /tools", "nowhere"]), [2]),
        (Filters(service="edge"), [2]),
        (Filters(model="big"), [1]),
        (Filters(model=("big", "")), [1, 2]),
        (Filters(status="ERROR"), [1]),
        (Filters(start=FIRST_START_NS + S), [1, 2]),
        (Filters(end=FIRST_START_NS + S), [0]),
        (Filters(start=datetime.fromtimestamp(FIRST_START_NS / S + 1, UTC), end=FIRST_START_NS + 2 * S), [1]),
        (Filters(start=datetime.fromtimestamp(FIRST_START_NS / S + 2, UTC).replace(tzinfo=None)), [2]),
        (Filters(route="POST /chat", status="OK"), [0]),
        (Filters(route="nowhere"), []),
        (Filters(route=[]), []),
    ],
)
def test_filters_leave_the_requests_that_pass_all_of_them(opened: Opener, filters: Filters, numbers: list[int]) -> None:
    assert load_requests(opened(some_requests()), filters=filters).request_no.tolist() == numbers


def test_filters_are_told_as_text() -> None:
    told = Filters(route="a", model=["b", "c"], start=FIRST_START_NS).as_dict()
    assert told == {"route": "a", "start": "2026-09-21T14:13:20.000000Z", "model": ["b", "c"]}
    assert iso(1_999_999_999) == "1970-01-01T00:00:01.999999Z"
    assert iso(-1) == "1969-12-31T23:59:59.999999Z"


def test_a_filter_that_names_nothing_there_is_refused_with_what_was_meant(opened: Opener) -> None:
    table = read_requests(opened(some_requests()))
    require_known(table, Filters(route="POST /chat", model=""))
    with pytest.raises(OverbudgetError, match=r"No request has the route `POST /chta`. Did you mean `POST /chat`\?"):
        require_known(table, Filters(route="POST /chta"))
    with pytest.raises(OverbudgetError, match=r"There are small, big\."):
        require_known(table, Filters(model=["big", "x"]))


def test_an_empty_dataset_has_no_requests(opened: Opener) -> None:
    connection = opened(DatasetBuilder())
    for budget in ("", '[stages.tools]\nmatch = { name = "x" }', '[request]\nmatch = { name = "x" }'):
        table = load_requests(connection, parse_budget(budget))
        assert len(table) == 0
        assert table.stage_ns.shape == (0, len(table.stages))


def test_a_requests_own_rules_move_time_between_stages_and_lose_none(opened: Opener) -> None:
    connection = opened(some_requests())
    budget = parse_budget(
        '[stages.docs]\nmatch = { name = "SELECT *" }\n[stages.safety]\nmatch = { name = "chat", service = "api" }'
    )
    table = read_requests(connection, budget)
    assert stage(table, "docs") == [40, 0, 0, 7]
    assert stage(table, "safety") == [300, 500, 0, 0]
    assert table.stage_ns.sum(1).tolist() == table.latency_ns.tolist()
    assert table.stages[-2:] == ("docs", "unattributed")


def keyed_requests() -> DatasetBuilder:
    """Spans that the default rules classify by the attributes they carry."""
    builder = DatasetBuilder()
    kind = "openinference.span.kind"
    for tenant, ns in (("a", 10 * MS), ("b", 20 * MS), ("a", 30 * MS)):
        builder.request(
            Work("retrieval", ns, "docs", attributes={"tenant": tenant, "top_k": "5"}, keys={kind: "RETRIEVER"}),
            Work("inference", 100 * MS, "chat", keys={kind: "LLM"}),
            rest_ns=1 * MS,
        )
    builder.request(Work("inference", 5 * MS, "chat", keys={kind: "LLM"}))
    return builder


def test_without_a_match_of_its_own_a_stage_keeps_the_default_rules(opened: Opener) -> None:
    table = read_requests(opened(keyed_requests()), parse_budget('[stages.mine]\nmatch = { name = "nothing like it" }'))
    assert stage(table, "retrieval") == [10, 20, 30, 0]
    assert stage(table, "inference") == [100, 100, 100, 5]


@pytest.mark.parametrize(
    ("rule", "mine"),
    [
        ('{ attribute = "openinference.span.kind", equals = "RETRIEVER" }', [10, 20, 30, 0]),
        ('{ attribute = "openinference.span.kind" }', [110, 120, 130, 5]),
        ('{ attribute = "tenant", equals = "a" }', [10, 0, 30, 0]),
        ('{ attribute = "tenant", equals = ["a", "b"] }', [10, 20, 30, 0]),
        ('{ attribute = "tenant" }', [10, 20, 30, 0]),
        ('{ attribute = "top_k", equals = 5 }', [10, 20, 30, 0]),
        ('[ { attribute = "tenant", equals = "b" }, { attribute = "top_k", name = "chat" } ]', [0, 20, 0, 0]),
        ('{ attribute = "tenant", equals = "c" }', []),
        ('{ attribute = "no such key" }', []),
        ('{ kind = "SERVER" }', [1, 1, 1, 0]),
        ('{ service = "a?i", name = "d*" }', [10, 20, 30, 0]),
    ],
)
def test_a_rule_finds_spans_by_what_operations_record_and_by_any_other_attribute(
    opened: Opener, rule: str, mine: list[float]
) -> None:
    table = read_requests(opened(keyed_requests()), parse_budget(f"[stages.mine]\nmatch = {rule}"))
    assert stage(table, "mine") == mine
    assert table.stage_ns.sum(1).tolist() == table.latency_ns.tolist()


def test_a_weak_rule_only_counts_where_no_classified_span_stands_above(opened: Opener) -> None:
    builder = DatasetBuilder()
    builder.request(Work("tools", 10 * MS, "call", hop_to="cart", callee_ns=20 * MS))
    weak = '[stages.cart]\nmatch = { service = "cart", weak = true }'
    strong = '[stages.cart]\nmatch = { service = "cart" }'
    called = '[stages.tools]\nmatch = { name = "call", kind = "CLIENT" }\n'
    connection = opened(builder)
    assert stage(read_requests(connection, parse_budget(called + weak)), "tools") == [30]
    assert stage(read_requests(connection, parse_budget(called + strong)), "cart") == [20]
    assert stage(read_requests(connection, parse_budget(weak)), "cart") == [
        30
    ]  # and the way to it, which nothing strong claims


def test_a_match_for_requests_makes_other_spans_the_requests(opened: Opener) -> None:
    connection = opened(keyed_requests())
    table = read_requests(connection, parse_budget('[request]\nmatch = { name = "docs" }'))
    assert (table.latency_ns / MS).tolist() == [10, 20, 30]
    assert table.route.names[table.route.codes[0]] == "docs"
    assert stage(table, "retrieval") == [10, 20, 30]
    assert table.stage_ns.sum(1).tolist() == table.latency_ns.tolist()
    assert (
        len(read_requests(connection, parse_budget('[request]\nmatch = { attribute = "tenant", equals = "a" }'))) == 2
    )
    assert len(read_requests(connection, parse_budget('[request]\nmatch = { name = "nothing" }'))) == 0


def test_a_match_for_the_entry_spans_gives_the_stored_requests_again(opened: Opener) -> None:
    connection = opened(some_requests())
    stored, found = (
        read_requests(connection),
        read_requests(connection, parse_budget('[request]\nmatch = { kind = "SERVER" }')),
    )
    for name in ("start_ns", "latency_ns", "complete", "good", "scored"):
        assert getattr(found, name).tolist() == getattr(stored, name).tolist(), name
    for name in ("route", "service", "model", "status"):
        told = [
            [column.names[c] if c >= 0 else None for c in column.codes]
            for column in (getattr(found, name), getattr(stored, name))
        ]
        assert told[0] == told[1], name


def test_what_a_request_says_of_itself_is_that_of_the_request_around_it(opened: Opener) -> None:
    table = read_requests(opened(some_requests()), parse_budget('[request]\nmatch = { name = "chat" }'))
    assert [table.model.names[c] for c in table.model.codes] == ["small", "big"]
    assert table.complete.tolist() == [True, True]
    assert read_requests(
        opened(some_requests()), parse_budget('[request]\nmatch = { name = "SELECT *" }')
    ).complete.tolist() == [
        True,
        False,
    ]


def test_causes_tell_own_time_from_hops_and_add_up_to_the_stages(opened: Opener) -> None:
    builder = DatasetBuilder()
    builder.request(
        Work("tools", 10 * MS, "call", hop_to="cart", callee_ns=20 * MS),
        Work("inference", 40 * MS, "chat", hop_to="openai"),
        rest_ns=MS,
    )
    builder.request(Work("inference", 60 * MS, "chat", hop_to="openai"))
    connection = opened(builder)
    own = parse_budget('[stages.mine]\nmatch = { name = "chat" }')
    for table, stage_of_chat in ((read_requests(connection), "inference"), (read_requests(connection, own), "mine")):
        causes = find_causes(load_path(connection, table), table)
        mean = causes.mean_ns(Band(np.array([0, 1]), np.array([0.5, 0.5])))
        told = {
            (causes.services[s], causes.names[n], causes.places[h] if h >= 0 else None, table.stages[t]): round(
                ns / MS, 6
            )
            for s, n, h, t, ns in zip(causes.service, causes.name, causes.hop, causes.stage, mean, strict=True)
        }
        assert told[("api", "chat", "openai", stage_of_chat)] == 50
        assert sum(told.values()) == table.latency_ns.mean() / MS
        (hop,) = [ns for (_, name, place, _), ns in told.items() if name == "call" and place == "cart"]
        (own_time,) = [ns for (service, name, place, _), ns in told.items() if service == "cart" and place is None]
        assert (hop, own_time) == (5, 10)


def scored_requests() -> DatasetBuilder:
    builder = DatasetBuilder()
    evaluation = {"gen_ai.evaluation.name": "correctness"}
    for score, label in ((0.9, None), (0.2, None), (None, True), (None, False), (None, None)):
        attributes = {**evaluation, "gen_ai.evaluation.score.value": str(score)} if score is not None else {}
        builder.request(
            Work("inference", MS, "chat", attributes={**attributes, "thumbs": "1"}), score=score, good=label
        )
    return builder


@pytest.mark.parametrize(
    ("good", "verdicts", "scored"),
    [
        ("", [UNKNOWN, UNKNOWN, GOOD, BAD, UNKNOWN], 4),
        ("at_least = 0.5", [GOOD, BAD, GOOD, BAD, UNKNOWN], 4),
        ("at_most = 0.5", [BAD, GOOD, GOOD, BAD, UNKNOWN], 4),
        ('name = "correctness", at_least = 0.9', [GOOD, BAD, UNKNOWN, UNKNOWN, UNKNOWN], 2),
        ('name = "thumbs", at_least = 1', [GOOD] * 5, 5),
        ('name = "nothing", at_least = 1', [UNKNOWN] * 5, 0),
    ],
)
def test_the_budget_says_which_score_makes_an_answer_good(
    opened: Opener, good: str, verdicts: list[int], scored: int
) -> None:
    budget = parse_budget(f"[good]\nscore = {{ {good} }}") if good else Budget()
    table = read_requests(opened(scored_requests()), budget)
    assert table.good.tolist() == verdicts
    assert np.count_nonzero(table.scored) == scored


@pytest.mark.parametrize(
    "said",
    [
        {"evaluations.0.evaluation.name": "other", "evaluations.0.evaluation.score": "0.1",
         "evaluations.1.evaluation.name": "tone", "evaluations.1.evaluation.score": "0.9"},
        {"evaluation.name": "tone", "evaluation.score": "0.9"},
        {"langfuse.score.other": "0.1", "langfuse.score.tone": "0.9"},
        {"langfuse.trace.scores.tone.value": "0.9"},
    ],
)  # fmt: skip
def test_a_named_score_is_found_in_every_convention(said: dict[str, str], opened: Opener) -> None:
    builder = DatasetBuilder()
    builder.request(Work("inference", MS, attributes=said))
    budget = parse_budget('[good]\nscore = { name = "tone", at_least = 0.5 }')
    assert read_requests(opened(builder), budget).good.tolist() == [GOOD]


def test_a_score_may_be_an_event_and_the_latest_of_several_counts(opened: Opener) -> None:
    def evaluation(score: str) -> tuple[str, dict[str, str]]:
        about = {"gen_ai.evaluation.name": "tone", "gen_ai.evaluation.score.value": score}
        return "gen_ai.evaluation.result", about

    builder = DatasetBuilder()
    builder.request(
        Work("inference", MS, events=(evaluation("0.9"),)), Work("inference", MS, events=(evaluation("0.1"),))
    )
    builder.request(Work("inference", MS, events=(evaluation("1"),)), Work("inference", MS, events=(evaluation("no"),)))
    budget = parse_budget('[good]\nscore = { name = "tone", at_least = 0.5 }')
    assert read_requests(opened(builder), budget).good.tolist() == [BAD, GOOD]


def test_a_named_score_belongs_to_the_request_that_a_match_makes_of_its_span(opened: Opener) -> None:
    text = '[good]\nscore = { name = "correctness", at_least = 0.5 }\n[request]\nmatch = { name = "chat" }'
    table = read_requests(opened(scored_requests()), parse_budget(text))
    assert table.good.tolist() == [GOOD, BAD, UNKNOWN, UNKNOWN, UNKNOWN]


def test_a_review_imports_neither_numba_nor_pandas() -> None:
    loaded = "[m for m in ('numba', 'pandas', 'scipy.stats') if m in sys.modules]"
    code = f"import sys, overbudget.analysis.review.review, overbudget.app.text.review; print({loaded})"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


@pytest.mark.parametrize(
    "rules", ["", '[stages.tools]\nmatch = { name = "x" }', '[request]\nmatch = { service = "api" }']
)
def test_a_callee_without_spans_is_no_service(opened: Opener, rules: str) -> None:
    builder = DatasetBuilder()
    builder.request(
        Work("retrieval", MS, "SELECT docs", hop_to="docs-db"), Work("tools", MS, "call", hop_to="cart", callee_ns=MS)
    )
    table = read_requests(opened(builder), parse_budget(rules))
    assert "docs-db" not in table.service.names
    causes = find_causes(load_path(opened(builder), table), table)
    assert sorted(causes.services) == ["api", "cart"]
    assert "docs-db" in causes.places


def test_a_wait_for_a_person_is_no_stage_and_no_latency(opened: Opener) -> None:
    builder = DatasetBuilder()
    builder.request(Work("user", 40 * MS, "approve"), Work("inference", 300 * MS, "chat"), user_ns=40 * MS)
    table = read_requests(opened(builder), Budget())
    assert table.stage_ns.sum(0).tolist() == [300 * MS if stage == "inference" else 0 for stage in table.stages]
    assert not table.present[table.stages.index("user")]
    assert table.latency_ns.tolist() == [300 * MS]
