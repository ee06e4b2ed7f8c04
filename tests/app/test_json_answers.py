"""What the commands print with --json keeps the schemas that are shipped, and every key says what it means."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, ValidationError

from overbudget.app.server.workspace import SAMPLES
from overbudget.ingest.pipeline import ingest
from scripts.pages.json_answers import Answers, of_dataset, read_answers
from scripts.pages.json_page import COMMANDS, file_of
from scripts.pages.json_schemas import Schema, closed, without_meaning
from scripts.write_docs import schemas

AGAIN = "run python -m scripts.write_docs and commit what it writes"


def shipped(command: str) -> Schema:
    found: Schema = json.loads(file_of(command).read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    return read_answers(tmp_path_factory.mktemp("answers"))


def test_the_schemas_are_those_that_the_answers_make(answers: Answers) -> None:
    for path, text in schemas(answers):
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is not what the commands print now: {AGAIN}"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_schema_is_one_and_says_what_each_key_means(command: str) -> None:
    Draft202012Validator.check_schema(shipped(command))
    assert without_meaning(command, shipped(command)) == [], "say it in scripts/pages/json_meanings.py"


@pytest.mark.parametrize("command", COMMANDS)
def test_answers_keep_the_schema_and_have_no_other_keys(command: str, answers: Answers) -> None:
    assert answers[command]
    for document in answers[command]:
        Draft202012Validator(closed(shipped(command))).validate(document)


@pytest.mark.parametrize("name", ["healthy", "load_ramp", "repeated_prompts"])
def test_datasets_that_the_schemas_were_not_made_of_keep_them_too(name: str, tmp_path: Path) -> None:
    dataset = tmp_path / "d.duckdb"
    ingest([SAMPLES / f"{name}.otlp.jsonl.gz"], dataset)
    for command, documents in of_dataset(dataset, SAMPLES / f"{name}.budget.toml").items():
        for document in documents:
            Draft202012Validator(closed(shipped(command))).validate(document)


def test_a_renamed_key_or_another_type_is_noticed(answers: Answers) -> None:
    validator = Draft202012Validator(closed(shipped("whatif")))
    good = answers["whatif"][0]
    renamed = {("request" if key == "requests" else key): value for key, value in good.items()}
    for wrong in (renamed, {**good, "requests": "7"}, {**good, "more": 1}):
        with pytest.raises(ValidationError):
            validator.validate(wrong)
