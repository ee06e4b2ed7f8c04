"""Changes as they are written on the command line, and as sentences."""

import pytest

from overbudget.analysis.whatif.changes import (
    Cache,
    Cap,
    Change,
    Drop,
    DropRetries,
    Parallel,
    Scale,
    Servers,
    Tokens,
    join_names,
    parse_changes,
    split_names,
)
from overbudget.store.errors import OverbudgetError

MS = 1_000_000
WRITTEN: list[tuple[str, str, Change, str]] = [
    ("--cap", "retrieval=400ms", Cap("retrieval", 400 * MS), "retrieval takes at most 400 ms"),
    ("--cap", "a=b=2s", Cap("a=b", 2000 * MS), "a=b takes at most 2.00 s"),
    ("--scale", "chat=0.5", Scale("chat", 0.5), "chat takes 0.5 × as long"),
    ("--scale", "chat=0", Scale("chat", 0), "chat takes no time"),
    ("--parallel", '"a, b",c', Parallel(("a, b", "c")), ""),
    (
        "--cache",
        "retrieve=10m",
        Cache("retrieve", 600_000 * MS),
        "repeats of retrieve within 10 min 0 s come from a cache",
    ),
    ("--drop", "rerank", Drop("rerank"), "rerank does not happen"),
    ("--drop", "chat>1200", Drop("chat", 1200), "chat happens at most 1,200 times in a request"),
    ("--servers", "chat=5", Servers("chat", 5), "5 calls of chat may run at once"),
    ("--tokens", "input=0.5", Tokens("input", 0.5), "prompts have 0.5 × as many tokens"),
    ("--tokens", "output<=4000", Tokens("output", most=4000), "answers have at most 4,000 tokens"),
]


@pytest.mark.parametrize(("option", "text", "change", "sentence"), WRITTEN)
def test_a_change_is_read_and_told(option: str, text: str, change: Change, sentence: str) -> None:
    assert parse_changes(**{option.removeprefix("--"): [text]}) == [change]  # type: ignore[arg-type]
    if sentence:
        assert str(change) == sentence


def test_retries_are_dropped_last() -> None:
    assert parse_changes(drop=["a"], drop_retries=True) == [Drop("a"), DropRetries()]
    assert parse_changes() == []


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [
        ("cap", "retrieval", "--cap retrieval has no value; write it like retrieval=400ms"),
        ("cap", "=", "write it like retrieval=400ms"),
        ("cap", " =5s", "has no value"),
        ("cap", "a=fast", "--cap a=fast: `fast`"),
        ("scale", "a=-0.1", "is not a factor; write it like a=0.5"),
        ("scale", "a=1000.1", "is not a factor"),
        ("scale", "a=nan", "is not a factor"),
        ("scale", "a=half", "is not a factor"),
        ("parallel", " , ", "--parallel names no operation"),
        ("drop", " ", "--drop names no operation"),
        ("servers", "a=0", "is not a number of servers; write it like a=5"),
        ("servers", "a=1000001", "is not a number of servers"),
        ("servers", "a=2.5", "is not a number of servers"),
        ("tokens", "input<=1.5", "--tokens input<=1.5 is not understood"),
        ("tokens", "input=1001", "is not understood"),
        ("tokens", "prompt=1", "is not understood"),
    ],
)
def test_what_is_no_change_is_told_with_its_option(option: str, text: str, message: str) -> None:
    with pytest.raises(OverbudgetError) as told:
        parse_changes(**{option: [text]})  # type: ignore[arg-type]
    assert message in str(told.value)


@pytest.mark.parametrize(
    ("option", "text", "change"),
    [
        ("scale", "a=1000", Scale("a", 1000)),
        ("servers", "a=1", Servers("a", 1)),
        ("servers", "a=1000000", Servers("a", 1_000_000)),
        ("tokens", "input=1000", Tokens("input", 1000)),
        ("tokens", "input<=5000", Tokens("input", most=5000)),
    ],
)
def test_the_least_and_the_most_are_read(option: str, text: str, change: Change) -> None:
    assert parse_changes(**{option: [text]}) == [change]  # type: ignore[arg-type]


def test_names_with_commas_and_quotes_are_joined_and_split_again() -> None:
    names = ("a", 'say "b", c', "d e")
    assert split_names(join_names(names)) == names
    assert split_names(" a , ,b ") == ("a", "b")
    assert split_names('a, "b, c"') == ("a", "b, c")
