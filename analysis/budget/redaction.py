"""Reading the section [redact] of a budget file."""

import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from overbudget.analysis.budget.problems import Problems, either, question
from overbudget.stages.redaction import PRESETS, Redaction

_EXAMPLES = {
    "keys": 'keys = ["gen_ai.*.messages", "input.value"]',
    "patterns": "patterns = ['[0-9]{16}']",
    "presets": 'presets = ["emails", "api_keys"]',
}


def read_redaction(table: dict[str, Any], problems: Problems) -> Redaction:
    """What is to be kept out of datasets; slips go into `problems`."""
    problems.only(table, tuple(_EXAMPLES), ("redact",))
    found = {name: _texts(table[name], name, problems) for name in _EXAMPLES if name in table}
    for preset in found.get("presets", ()):
        if preset not in PRESETS:
            asked = question(preset, tuple(PRESETS)) or f" There are {either(tuple(PRESETS))}."
            problems.add(("redact", "presets"), f"`{preset}` is no preset of what to redact.{asked}")
    for pattern in found.get("patterns", ()):
        wrong = wrong_with(pattern)
        if wrong:
            problems.add(("redact", "patterns"), f"The pattern {pattern!r} cannot be used: {wrong}.")
    return Redaction(found.get("keys", ()), found.get("patterns", ()), found.get("presets", ()))


def _texts(value: Any, name: str, problems: Problems) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(one, str) and one for one in value):
        return tuple(value)
    problems.add(("redact", name), f"`{name}` is a list of texts in quotes: {_EXAMPLES[name]}.")
    return ()


def wrong_with(pattern: str) -> str | None:
    """Why a pattern cannot be used; None where it can. It must mean the same to Python and to RE2, which looks for it first."""
    try:
        compiled = re.compile(pattern)
        pc.match_substring_regex(pa.array([""]), pattern)
    except (re.error, pa.ArrowInvalid, OverflowError, RecursionError) as error:
        return str(error).split("\n")[0].rstrip(".")
    return "it matches where there is nothing" if compiled.search("") else None
