"""The budget file: what it means, and what is said about slips in it."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overbudget.analysis.budget.caps import caps_by_route, total_cap
from overbudget.analysis.budget.file import edit_budget, load_budget, parse_budget, save_budget
from overbudget.analysis.budget.model import Budget, Good, cap_at
from overbudget.stages.rules import Rule, pattern
from overbudget.store.errors import OverbudgetError

MS = 1_000_000
S = 1_000_000_000

EVERY_KEY = """
[budget]                      # caps for the whole request
p50 = "1.2s"
p95 = "2s"

[request]                     # which spans are requests, when roots are not
match = { name = "POST /chat" }

[good]                        # what counts as a good answer
score = { name = "correctness", at_least = 0.7 }

[stages.retrieval]
p50 = "200ms"
p95 = "400ms"
match = [
  { attribute = "openinference.span.kind", equals = "RETRIEVER" },
  { name = "search_*" }, { service = "vector-db", weak = true },
]
"""


def problems(text: str) -> str:
    with pytest.raises(OverbudgetError) as error:
        parse_budget(text)
    return str(error.value)


def test_the_promised_example_is_read_as_it_is_meant() -> None:
    budget = parse_budget(EVERY_KEY)
    assert budget.caps == {50: 1200 * MS, 95: 2 * S}
    assert budget.stage_caps("retrieval") == {50: 200 * MS, 95: 400 * MS}
    assert budget.rules == (
        Rule("retrieval", attribute="openinference.span.kind", equals=("RETRIEVER",)),
        Rule("retrieval", name="search_*"),
        Rule("retrieval", service="vector-db", weak=True),
    )
    assert budget.request_match == (Rule(name="POST /chat"),)
    assert budget.good == Good("correctness", 0.7)
    assert budget.as_read["budget"] == {"p50": "1.2s", "p95": "2s"}


def test_every_key_is_optional() -> None:
    budget = parse_budget("")
    assert budget.capped() == ()
    assert budget.rules == ()
    assert budget.good is None
    assert parse_budget("[stages.inference]").stage_caps("inference") == {}


def test_equals_may_be_a_list_and_values_compare_as_the_text_that_spans_hold() -> None:
    (rule,) = parse_budget('[stages.mine]\nmatch = { attribute = "a", equals = ["x", true, 3, 2.5] }').rules
    assert rule.equals == ("x", "true", "3", "2.5")


def test_in_a_pattern_only_star_and_question_mark_are_special() -> None:
    assert pattern("search_*").fullmatch("search_docs")
    assert pattern("*").fullmatch("two\nlines")
    assert not pattern("search_*").fullmatch("Search_docs")
    assert pattern("GET /a[0]?").fullmatch("GET /a[0]x")
    assert not pattern("a.c").fullmatch("abc")


def test_a_cap_holds_at_its_percentile_and_below_and_is_borrowed_above() -> None:
    caps = {50: 1 * S, 95: 2 * S}
    assert cap_at(caps, 50) == (1 * S, False)
    assert cap_at(caps, 75) == (2 * S, False)
    assert cap_at(caps, 95) == (2 * S, False)
    assert cap_at(caps, 99) == (2 * S, True)
    assert cap_at(caps, 25) == (1 * S, False)
    assert cap_at({}, 95) == (None, False)


@given(st.dictionaries(st.integers(1, 99), st.integers(1, 10**12), min_size=1), st.integers(1, 99), st.integers(1, 99))
def test_caps_never_shrink_as_the_percentile_rises(given_caps: dict[int, int], p: int, q: int) -> None:
    caps = dict(zip(sorted(given_caps), sorted(given_caps.values()), strict=True))
    low, high = cap_at(caps, min(p, q))[0], cap_at(caps, max(p, q))[0]
    assert low is not None
    assert high is not None
    assert low <= high


def test_a_route_replaces_what_it_gives_and_takes_the_rest_from_the_general_budget() -> None:
    budget = parse_budget(
        '[budget]\np50 = "1s"\np95 = "2s"\n[stages.inference]\np95 = "1s"\n[stages.tools]\np95 = "500ms"\n'
        '[routes."POST /chat"]\np95 = "3s"\n[routes."POST /chat".stages.inference]\np95 = "2s"\n'
    )
    chat = budget.for_route("POST /chat")
    assert chat.caps == {95: 3 * S}
    assert chat.stage_caps("inference") == {95: 2 * S}
    assert chat.stage_caps("tools") == {95: 500 * MS}
    assert budget.for_route("GET /else").caps == budget.caps
    assert chat.for_route("POST /chat").caps == chat.caps


def test_a_misspelt_stage_is_reported_with_its_line_and_what_was_meant() -> None:
    said = problems('[budget]\np95 = "2s"\n\n[stages.retreival]\np95 = "400ms"\n')
    assert said.startswith("budget.toml, line 4: ")
    assert "`retreival`" in said
    assert "Did you mean `retrieval`?" in said


def test_a_stage_of_the_users_own_needs_a_match() -> None:
    assert "needs a `match`" in problems('[stages.ranking]\np95 = "1s"')
    assert "`inference`" in problems('[stages.ranking]\np95 = "1s"')
    assert parse_budget('[stages.ranking]\np95 = "1s"\nmatch = { name = "rank*" }').rules[0].stage == "ranking"


def test_unattributed_time_may_be_capped_but_not_matched() -> None:
    assert parse_budget('[stages.unattributed]\np95 = "100ms"').stage_caps("unattributed") == {95: 100 * MS}
    assert "nothing can be matched to it" in problems('[stages.unattributed]\nmatch = { name = "x" }')


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('[budget]\np95 = "400"', 2, "did you mean 400ms or 400s?"),
        ("[budget]\np95 = 400", 2, "in quotes?"),
        ('[budget]\n\np95 = "-1s"', 3, "is negative"),
        ('[budget]\np95 = "0ms"', 2, "is less than 1 ns"),
        ('[budget]\nP95 = "1s"', 2, "Did you mean `p95`?"),
        ('[budget]\n95 = "1s"', 2, "Did you mean `p95`?"),
        ('[budget]\n"p99.9" = "1s"', 2, "whole, from p1 to p99"),
        ('[budget]\np100 = "1s"', 2, "whole, from p1 to p99"),
        ('[budget]\nmaximum = "1s"', 2, "means nothing in [budget]"),
        ('[budget]\nretrieval = "1s"', 2, "Did you mean [stages.retrieval]?"),
        ('[budgets]\np95 = "1s"', 1, "Did you mean `budget`?"),
        ('[stage.tools]\np95 = "1s"', 1, "Did you mean `stages`?"),
        ('[tools]\np95 = "1s"', 1, "Did you mean [stages.tools]?"),
        ('p95 = "1s"', 1, "write [budget] above it"),
        ('budget = "1s"', 1, "is a section"),
        ('[stages]\ntools = "1s"', 2, "is a section; write [stages.tools]"),
        ("[stages.tools]\nmach = []", 2, "Did you mean `match`?"),
        ("[stages.tools]\nmatch = []", 2, "is a list of rules"),
        ('[stages.tools]\nmatch = [ "x" ]', 2, "written in braces"),
        ('[stages.tools]\nmatch = [\n { nme = "x" },\n]', 3, "Did you mean `name`?"),
        ('[stages.tools]\nmatch = [\n { name = "a" },\n { weak = true },\n]', 4, "has no condition"),
        ('[stages.tools]\nmatch = { equals = "x" }', 2, "needs `attribute`"),
        ('[stages.tools]\nmatch = { name = "" }', 2, "and not empty"),
        ('[stages.tools]\nmatch = { name = "x", weak = "yes" }', 2, "true or false"),
        ('[stages.tools]\nmatch = { kind = "server" }', 2, "There is no kind `server`"),
        ('[request]\nmatch = { name = "x", weak = true }', 2, "`weak` is only allowed in the rules of a stage"),
        ('[request]\nmtach = { name = "x" }', 2, "Did you mean `match`?"),
        ("[good]\nscore = 0.7", 2, "written in braces"),
        ('[good]\nscore = { name = "x" }', 2, "needs a limit"),
        ('[good]\nscore = { at_least = "0.7" }', 2, "a number without quotes"),
        ("[good]\nscore = { at_leats = 0.7 }", 2, "Did you mean `at_least`?"),
        ("[good]\nscore = { at_least = 2, at_most = 1 }", 2, "swap them"),
        ('[routes.x]\n[routes.x.stages.tool]\np95 = "1s"', 2, "Did you mean `tools`?"),
        ('[routes.x.stages.tools]\nmatch = { name = "x" }', 2, "Rules apply to all routes"),
        ("[budget]\np50 = 'x'\n[budget", 3, "not valid TOML"),
        ('[budget]\np50 = "1s"\np50 = "2s"', 3, "given above already"),
    ],
)
def test_a_slip_is_reported_with_its_line_and_what_was_meant(text: str, line: int, said: str) -> None:
    message = problems(text)
    assert f"line {line}: " in message
    assert said in message


def test_durations_without_quotes_are_all_found_although_the_parser_stops_at_the_first() -> None:
    said = problems("[budget]\np50 = 400ms\np95 = 2s # two\n")
    assert 'line 2: Write durations in quotes: p50 = "400ms".' in said
    assert 'line 3: Write durations in quotes: p95 = "2s".' in said


def test_all_problems_are_reported_at_once_in_the_order_of_their_lines() -> None:
    said = problems('[budget]\np95 = "2"\n[stages.tols]\np95 = "1s"\n[stages.safety]\np59 = "x"\n').splitlines()
    assert said[0] == "budget.toml has 3 problems:"
    assert [line.split(":")[0].strip() for line in said[1:]] == ["line 2", "line 3", "line 6"]


def test_a_cap_that_shrinks_with_a_rising_percentile_is_refused() -> None:
    said = problems('[stages.tools]\np50 = "2s"\np95 = "1s"\n')
    assert "line 3: p95 = 1s is less than p50 = 2s in line 2" in said
    assert parse_budget('[stages.tools]\np95 = "1s"\np50 = "1s"').stage_caps("tools") == {50: S, 95: S}


def remarks(text: str) -> str:
    return "\n".join(parse_budget(text).remarks)


def test_stage_caps_that_add_up_to_more_than_the_whole_are_a_remark() -> None:
    said = remarks('[budget]\np95 = "2s"\n[stages.inference]\np95 = "1.8s"\n[stages.retrieval]\np95 = "400ms"\n')
    assert "Line 2: The caps of the stages at p95 add up to 2.2s (inference 1.8s, retrieval 400ms)" in said
    assert "Percentiles do not add up" in said
    assert "Line 2: The cap of tools at p50 is 3s" in remarks('[budget]\np95 = "2s"\n[stages.tools]\np50 = "3s"')


def test_caps_that_nobody_promised_together_are_not_added_up() -> None:
    assert not remarks(
        '[budget]\np50 = "1s"\np95 = "2s"\n[stages.inference]\np95 = "1.5s"\n[stages.tools]\np95 = "500ms"'
    )
    assert not remarks('[budget]\np50 = "1s"\n[stages.inference]\np95 = "5s"')  # p95 only borrows the whole's cap
    assert not remarks('[budget]\np95 = "2s"\n[stages.inference]\np95 = "1.6s"\n[stages.retrieval]\np95 = "400ms"\n')


def test_a_routes_stages_are_held_against_that_routes_whole() -> None:
    general = '[budget]\np95 = "2s"\n[stages.tools]\np95 = "1s"\n'
    assert not remarks(general + '[routes.fast]\np95 = "500ms"')  # the general stage caps are not this route's own
    said = remarks(general + '[routes.fast]\np95 = "500ms"\n[routes.fast.stages.tools]\np95 = "600ms"')
    assert "Line 6: The cap of tools at p95 is 600ms, more than the 500ms of the whole request" in said
    assert "Line 7: The cap of tools" in remarks(general + '[routes.x]\n[routes.x.stages.tools]\np95 = "3s"')


def test_failed_requests_can_be_left_out_of_percentiles_and_nothing_else_can_be_said_of_them() -> None:
    assert parse_budget('[budget]\nfailures = "apart"\np95 = "1s"').failures_apart
    assert not parse_budget('[budget]\np95 = "1s"').failures_apart
    assert "line 2: `failures` can only be" in problems('[budget]\nfailures = "ignored"')


@pytest.mark.parametrize(("percentile", "ns", "borrowed"), [(50, S, False), (95, 2 * S, False), (99, 2 * S, True)])
def test_one_function_says_which_cap_holds_for_a_selection_and_for_one_request(
    percentile: int, ns: int, borrowed: bool
) -> None:
    budget = parse_budget('[budget]\np95 = "10s"\n[routes."POST /chat"]\np50 = "1s"\np95 = "2s"')
    assert total_cap(budget, ["POST /chat"], percentile) == (ns, percentile, borrowed)
    assert total_cap(budget, ["POST /chat", "GET /"], percentile) == (10 * S, percentile, percentile == 99)
    assert caps_by_route(budget, ["GET /", "POST /chat"], percentile).tolist() == [10 * S, ns]


def test_without_a_cap_nothing_is_within_or_over_budget() -> None:
    assert total_cap(None, ["a"]) is None
    assert total_cap(Budget(), ["a"]) is None
    assert caps_by_route(None, ["a"]).tolist() == [-1]


def test_reading_changes_with_rules_and_not_with_caps() -> None:
    budget = parse_budget(EVERY_KEY)
    other_caps = parse_budget(edit_budget(EVERY_KEY, {("budget", "p95"): 3 * S}))
    assert budget.reading == other_caps.reading
    assert hash(budget.reading) == hash(other_caps.reading)
    assert budget.reading != Budget().reading


def test_editing_a_cap_keeps_comments_order_and_spacing() -> None:
    edited = edit_budget(EVERY_KEY, {("budget", "p50"): 1500 * MS})
    assert edited == EVERY_KEY.replace('p50 = "1.2s"', 'p50 = "1.5s"')


def test_editing_adds_tables_and_removes_caps() -> None:
    edited = edit_budget(
        EVERY_KEY,
        {
            ("budget", "p50"): None,
            ("stages", "tools", "p95"): 100 * MS,
            ("routes", "POST /chat", "p95"): 3 * S,
            ("routes", "POST /chat", "stages", "tools", "p95"): 250_000,
            ("routes", "nowhere", "p95"): None,
        },
    )
    budget = parse_budget(edited)
    assert budget.caps == {95: 2 * S}
    assert budget.stage_caps("tools") == {95: 100 * MS}
    assert budget.routes["POST /chat"].caps == {95: 3 * S}
    assert budget.routes["POST /chat"].stages == {"tools": {95: 250_000}}
    assert list(budget.routes) == ["POST /chat"]
    assert "# caps for the whole request" in edited


def test_editing_works_where_tables_are_out_of_order_dotted_or_inline() -> None:
    text = 'stages = { tools = { p95 = "1s" } }\nbudget.p95 = "2s"\n'
    edited = parse_budget(edit_budget(text, {("stages", "tools", "p95"): 5 * MS, ("budget", "p50"): 7 * MS}))
    assert edited.stage_caps("tools") == {95: 5 * MS}
    assert edited.caps == {50: 7 * MS, 95: 2 * S}
    text = '[stages.tools]\np95 = "1s"\n[budget]\np95 = "2s"\n[stages.safety]\np95 = "1s"\n'
    edited = parse_budget(edit_budget(text, {("stages", "safety", "p95"): 5 * MS, ("stages", "queue", "p95"): 6 * MS}))
    assert edited.stage_caps("safety") == {95: 5 * MS}
    assert edited.stage_caps("queue") == {95: 6 * MS}


@given(st.dictionaries(st.sampled_from(["retrieval", "tools", "queue"]), st.integers(1, 10**12), min_size=1))
def test_what_is_edited_reads_back(caps: dict[str, int]) -> None:
    text = edit_budget("", {("stages", stage, "p95"): ns for stage, ns in caps.items()})
    budget = parse_budget(text)
    assert {stage: budget.stage_caps(stage) for stage in caps} == {stage: {95: ns} for stage, ns in caps.items()}


def test_a_saved_budget_is_checked_first_and_left_alone_when_it_does_not_hold_together(tmp_path: Path) -> None:
    path = tmp_path / "budget.toml"
    save_budget(path, {("budget", "p95"): 2 * S})
    assert load_budget(path).caps == {95: 2 * S}
    before = path.read_text()
    with pytest.raises(OverbudgetError, match="less than p95"):
        save_budget(path, {("budget", "p99"): 1 * S})
    assert path.read_text() == before
    assert save_budget(path, {("budget", "p99"): 3 * S}).caps == {95: 2 * S, 99: 3 * S}
    assert [entry.name for entry in tmp_path.iterdir()] == ["budget.toml"]


def test_a_save_that_fails_leaves_the_budget_as_it_was_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(part: object, path: object) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "budget.toml"
    save_budget(path, {("budget", "p95"): 2 * S})
    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OverbudgetError, match=r"Cannot write the budget to .*: No space left on device"):
        save_budget(path, {("budget", "p95"): 3 * S})
    assert [entry.name for entry in tmp_path.iterdir()] == ["budget.toml"]
    assert load_budget(path).caps == {95: 2 * S}


def test_a_file_that_is_no_budget_gives_one_readable_sentence(tmp_path: Path) -> None:
    with pytest.raises(OverbudgetError, match="Cannot read the budget"):
        load_budget(tmp_path / "missing.toml")
    with pytest.raises(OverbudgetError, match="is a folder"):
        load_budget(tmp_path)
    (tmp_path / "utf16.toml").write_bytes("[budget]".encode("utf-16"))
    with pytest.raises(OverbudgetError, match="UTF-8"):
        load_budget(tmp_path / "utf16.toml")
    (tmp_path / "big.toml").write_bytes(b"#" * 1_000_001)
    with pytest.raises(OverbudgetError, match="too large"):
        load_budget(tmp_path / "big.toml")
    (tmp_path / "bom.toml").write_bytes(b'\xef\xbb\xbf[budget]\r\np95 = "1s"\r\n')
    assert load_budget(tmp_path / "bom.toml").caps == {95: S}


@given(st.text(alphabet="[]{}=\"'#\n.,abp95 s", max_size=60))
def test_whatever_the_text_only_readable_errors_come_out(text: str) -> None:
    with suppress(OverbudgetError):
        assert isinstance(parse_budget(text), Budget)


# -- parts of stages, first tokens, single calls

PARTS_AND_CALLS = """
[first_token]
p95 = "900ms"
[stages.inference]
p95 = "1s"
call_first_token = { p95 = "400ms" }
call_per_output_token = { p50 = "20ms", p95 = "25ms" }
[stages."inference.writing"]
p95 = "700ms"
[models."mist-*"]
call_first_token = { p95 = "250ms" }
[routes."POST /chat".first_token]
p95 = "700ms"
[routes."POST /chat".stages."inference.writing"]
p95 = "500ms"
"""


def test_parts_first_tokens_and_single_calls_have_caps_of_their_own() -> None:
    budget = parse_budget(PARTS_AND_CALLS)
    assert budget.first_token == {95: 900 * MS}
    assert budget.stage_caps("inference") == {95: 1 * S}
    assert budget.stage_caps("inference.writing") == {95: 700 * MS}
    assert budget.call_caps() == {
        ("stage", "inference"): {
            "call_first_token": {95: 400 * MS},
            "call_per_output_token": {50: 20 * MS, 95: 25 * MS},
        },
        ("model", "mist-*"): {"call_first_token": {95: 250 * MS}},
    }
    own = budget.for_route("POST /chat")
    assert (own.first_token, own.stage_caps("inference.writing")) == ({95: 700 * MS}, {95: 500 * MS})
    assert budget.for_route("GET /").first_token == {95: 900 * MS}
    assert budget.remarks == ()


def test_what_is_capped_of_requests_leaves_out_calls_and_other_caps_of_single_routes() -> None:
    assert parse_budget('[budget]\np95 = "1s"\n[stages.tools]\nmax = "1s"\n[stages.queue]').capped() == (
        "total",
        "tools",
    )
    assert parse_budget('[first_token]\np95 = "1s"\n[stages."inference.writing"]\np95 = "1s"').capped() == (
        "first_token",
        "inference.writing",
    )
    assert parse_budget('[routes."GET /".stages.tools]\np95 = "1s"').capped() == ()
    assert (
        parse_budget(
            '[models.x]\ncall_first_token.p95 = "1s"\n[stages.inference.call_first_token]\nmax = "1s"'
        ).capped()
        == ()
    )


def test_a_part_is_inside_its_stage_so_sums_leave_it_out() -> None:
    text = '[budget]\np95 = "1s"\n[stages.inference]\np95 = "900ms"\n[stages."inference.writing"]\np95 = "700ms"'
    assert parse_budget(text).remarks == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[stages."inference.writting"]\np95 = "1s"', "line 1: `inference.writting` is not a part of a stage; names with a "
         "dot are those of parts. Did you mean `inference.writing`?"),
        ('[stages."my.own"]\nmatch = { name = "x" }', "line 1: `my.own` is not a part"),
        ('[stages.inference.writing]\np95 = "1s"', '`writing` is a part of inference: write [stages."inference.writing"]'),
        ('[stages."inference.writing"]\nmatch = { name = "x" }', "line 2: A part of a stage has caps alone; `match` belongs "
         "in [stages.inference]."),
        ('[stages.inference]\ncall_first_tokn = { p95 = "1s" }', "line 2: `call_first_tokn` means nothing in "
         "[stages.inference]. Did you mean `call_first_token`?"),
        ('[stages.inference]\ncall_first_token = "1s"', 'line 2: `call_first_token` has caps by percentile: '
         'call_first_token = { p95 = "400ms" }.'),
        ('[stages.inference]\ncall_first_token = { p50 = "2s", p95 = "1s" }', "a higher percentile is never faster"),
        ('[stages.retrieval]\ncall_first_token = { p95 = "1s" }', "line 2: Only model calls have `call_first_token`; write it "
         "in [stages.inference]."),
        ('[models."mist-*"]\np95 = "1s"', 'line 2: `p95` in [models."mist-*"] says not what of a call: write '
         'call_first_token.p95 = "400ms".'),
        ('[models.x]\ncall_per_output_tokens = { p95 = "1s" }', "Did you mean `call_per_output_token`?"),
        ('[model.x]\ncall_first_token = { p95 = "1s" }', "Did you mean `models`?"),
        ('[first_tokens]\np95 = "1s"', "Did you mean `first_token`?"),
        ('[first_token]\np95 = "1 parsec"', "line 2"),
        ('[routes.a.stages.inference]\ncall_first_token = { p95 = "1s" }', "line 2: `call_first_token` holds for all routes; "
         "move it to [stages.inference]."),
        ('[routes.a.first_tokn]\np95 = "1s"', "Did you mean `first_token`?"),
    ],
)  # fmt: skip
def test_slips_in_parts_and_calls_are_told_with_their_line_and_what_was_meant(text: str, said: str) -> None:
    assert said in problems(text)


def test_caps_of_calls_and_parts_are_changed_with_comments_kept() -> None:
    text = '# ours\n[stages.inference]  # models\np95 = "1s"  # as promised\n'
    changes: dict[tuple[str, ...], int | None] = {
        ("stages", "inference", "call_first_token", "p95"): 400 * MS,
        ("stages", "inference.writing", "p95"): 700 * MS,
        ("models", "mist-*", "call_per_output_token", "p95"): 25 * MS,
        ("first_token", "p95"): 900 * MS,
    }
    changed = edit_budget(text, changes)
    assert changed.startswith('# ours\n[stages.inference]  # models\np95 = "1s"  # as promised\n')
    assert 'call_first_token = {p95 = "400ms"}' in changed
    budget = parse_budget(changed)
    assert budget.stage_caps("inference.writing") == {95: 700 * MS}
    assert budget.models == {"mist-*": {"call_per_output_token": {95: 25 * MS}}}
    assert budget.first_token == {95: 900 * MS}
    gone = edit_budget(changed, dict.fromkeys(changes))
    assert "call_first_token" not in gone
    assert not any(parse_budget(gone).call_caps())
