"""The schema that editors complete budgets by takes what the parser takes, key for key, and nothing else."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from jsonschema import Draft202012Validator

from overbudget.analysis.budget.file import parse_budget
from overbudget.app.server.workspace import SAMPLES
from overbudget.store.errors import OverbudgetError
from scripts.pages.budget_schema import schema

ROOT = Path(__file__).parents[3]
VALIDATOR = Draft202012Validator(schema())
RULE = {"name": "x*"}
VALUES = (
    "400ms",
    "28d",
    "x",
    "SERVER",
    0.9,
    True,
    RULE,
    [RULE],
    {"p95": "1s"},
    {"at_least": 0.5},
    ["x"],
    {"score": {"at_least": 1}},
)
# Where a key may stand, with what else must stand there for it to be taken.
PLACES: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    ((), {}),
    (("budget",), {}),
    (("request",), {}),
    (("request", "match"), RULE),
    (("good",), {}),
    (("good", "score"), {"at_least": 0.5}),
    (("stages",), {}),
    (("stages", "retrieval"), {}),
    (("stages", "retrieval", "match"), RULE),
    (("stages", "retrieval", "match"), {"attribute": "x"}),
    (("stages", "my own"), {"match": RULE}),
    (("stages", "inference"), {}),
    (("stages", "inference", "call_first_token"), {}),
    (("stages", "my own", "call_per_output_token"), {}),
    (("stages", "inference.writing"), {}),
    (("stages", "inference.writting"), {}),
    (("first_token",), {}),
    (("objective",), {}),
    (("objective",), {"within": 0.99}),
    (("models", "mist-*"), {}),
    (("models", "mist-*", "call_first_token"), {}),
    (("routes", "POST /chat", "first_token"), {}),
    (("routes", "POST /chat", "stages", "inference.writing"), {}),
    (("stages", "unattributed"), {}),
    (("routes", "POST /chat"), {}),
    (("routes", "POST /chat", "stages", "retrieval"), {}),
)


def words() -> list[str]:
    """Every text in the code of the parser that could be a key, so that a key that is new there is tried here."""
    found = {"p1", "p50", "p95", "p99", "p0", "p100", "max", "retrieval", "unattributed", "nonsense"}
    for path in (ROOT / "analysis" / "budget").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and re.fullmatch(r"[a-z][a-z0-9_]*", node.value)
            ):
                found.add(node.value)
    return sorted(found)


def documents(place: tuple[str, ...], beside: dict[str, Any], word: str) -> Iterator[dict[str, Any]]:
    for value in VALUES:
        document: dict[str, Any] = {}
        table = document
        for key in place:
            table = table.setdefault(key, {})
        table.update(beside)
        table[word] = value
        yield document


def parses(document: dict[str, Any]) -> bool:
    try:
        parse_budget(tomlkit.dumps(document))
    except OverbudgetError:
        return False
    return True


@pytest.mark.parametrize(
    ("place", "beside"), PLACES, ids=lambda given: ".".join(given) if isinstance(given, tuple) else ""
)
def test_the_schema_takes_the_keys_and_values_that_the_parser_takes(
    place: tuple[str, ...], beside: dict[str, Any]
) -> None:
    for word in words():
        for document in documents(place, beside, word):
            assert VALIDATOR.is_valid(document) == parses(document), document


def test_the_schema_takes_stages_of_a_route_that_the_parser_takes() -> None:
    """It takes more: that a stage of one's own is defined elsewhere in the file is beyond a schema."""
    for word in words():
        for document in documents(("routes", "POST /chat", "stages"), {}, word):
            assert VALIDATOR.is_valid(document) or not parses(document), document


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.budget.toml")), ids=lambda path: path.stem)
def test_the_samples_budgets_are_valid(path: Path) -> None:
    VALIDATOR.validate(tomllib.loads(path.read_text(encoding="utf-8")))


def test_the_examples_of_the_documents_are_valid_and_parsed() -> None:
    page = (ROOT / "docs" / "reference" / "budget-file.md").read_text(encoding="utf-8")
    examples = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert examples
    for example in examples:
        VALIDATOR.validate(tomllib.loads(example))
        assert parse_budget(example)


@pytest.mark.parametrize("duration", ["400ms", "1.5s", ".5s", "1m30s", "1 h", "250us", "3µs", " 2s ", "10min", "1ns"])
def test_durations_that_are_read_are_valid(duration: str) -> None:
    assert parse_budget(f'[budget]\np95 = "{duration}"').caps
    assert VALIDATOR.is_valid({"budget": {"p95": duration}})


@pytest.mark.parametrize("duration", ["400", "0ms", "-1s", "1,5s", "fast", "", "1.s", "5 parsecs", 400, True])
def test_durations_that_are_no_durations_are_not(duration: object) -> None:
    assert not VALIDATOR.is_valid({"budget": {"p95": duration}})
