"""Reading the rules (`match`) of a budget file."""

from typing import Any

from overbudget.analysis.budget.problems import Problems, either, question
from overbudget.analysis.budget.toml_lines import Path
from overbudget.kernels.otlp import KINDS
from overbudget.stages.rules import Rule

CONDITIONS = ("attribute", "name", "service", "scope", "kind")
EXAMPLE = 'match = [ { name = "search_*" } ]'


def read_rules(value: Any, path: Path, stage: str, problems: Problems) -> tuple[Rule, ...]:
    """The rules of one `match`, a table or a list of them; `stage` is "" for rules that name requests or the background."""
    if isinstance(value, dict):
        found = [_rule(value, path, stage, problems)]
    elif isinstance(value, list) and value:
        found = [_rule(entry, (*path, number), stage, problems) for number, entry in enumerate(value)]
    else:
        problems.add(path, f"`match` is a list of rules, for example {EXAMPLE}.")
        found = []
    return tuple(rule for rule in found if rule is not None)


def _rule(value: Any, path: Path, stage: str, problems: Problems) -> Rule | None:
    if not isinstance(value, dict):
        problems.add(path, f"A rule is written in braces, for example {EXAMPLE}.")
        return None
    before = len(problems.found)
    keys = (*CONDITIONS, "equals", *(["weak"] if stage else []))
    texts: dict[str, str] = {}
    for key, given in value.items():
        if key == "weak" and not stage:
            problems.add((*path, key), "`weak` is only allowed in the rules of a stage.")
        elif key not in keys:
            asked = question(key, keys) or f" A rule has {either(keys)}."
            problems.add((*path, key), f"`{key}` means nothing in a rule.{asked}")
        elif key == "weak" and not isinstance(given, bool):
            problems.add((*path, key), "`weak` is true or false, without quotes.")
        elif key in CONDITIONS:
            if isinstance(given, str) and given:
                texts[key] = given
            else:
                problems.add((*path, key), f"`{key}` must be a text in quotes, and not empty.")
    equals = _equals(value.get("equals"), (*path, "equals"), problems)
    if "equals" in value and "attribute" not in value:
        problems.add((*path, "equals"), "`equals` needs `attribute`, the key whose value is compared.")
    if "kind" in texts and texts["kind"] not in KINDS:
        problems.add((*path, "kind"), f"There is no kind `{texts['kind']}`; there are {either(KINDS)}.")
    if len(problems.found) > before:
        return None
    if not texts:
        problems.add(path, "This rule has no condition and would match every span; say which, for example by `name`.")
        return None
    return Rule(stage=stage, equals=equals, weak=value.get("weak", False), **texts)


def _equals(given: Any, path: Path, problems: Problems) -> tuple[str, ...]:
    if given is None:
        return ()
    values = given if isinstance(given, list) and given else [given]
    if not all(isinstance(value, str | bool | int | float) for value in values):
        problems.add(path, "`equals` is a value or a list of values.")
        return ()
    return tuple(str(value).lower() if isinstance(value, bool) else str(value) for value in values)
