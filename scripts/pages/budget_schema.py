"""app/schemas/budget.schema.json, which lets editors complete a budget file, and the tables of docs/reference/budget-file.md.

The parser (analysis/budget/parse.py) decides what is valid and explains mistakes far better; the schema lists the keys
and the form of their values. tests/analysis/budget/test_schema.py checks that the two agree.
"""

import json
from typing import Any

from overbudget.analysis.budget.model import CALL_FIGURES
from overbudget.analysis.budget.objective import WINDOW
from overbudget.analysis.budget.parse import MODEL_STAGE, SECTIONS
from overbudget.analysis.budget.rules import CONDITIONS
from overbudget.kernels.otlp import KINDS
from overbudget.stages.names import ASKS_PERSON, DEFAULT_STAGES, PART_NAMES, UNATTRIBUTED
from overbudget.stages.redaction import PRESETS

Schema = dict[str, Any]

UNITS = "ns|us|µs|μs|ms|s|m|min|h"
DURATION: Schema = {
    "type": "string",
    "pattern": rf"^\s*(?=.*[1-9])(([0-9]+([.][0-9]+)?|[.][0-9]+)\s*({UNITS})\s*)+$",
    "examples": ["400ms", "1.5s", "250us"],
}
PERCENTILE = "^p[1-9][0-9]?$"
SUGGESTED = ("p50", "p75", "p90", "p95", "p99")
TEXT: Schema = {"type": "string", "minLength": 1}

CONDITION_MEANS = {
    "attribute": "The operation's spans have this attribute; with `equals`, with this value",
    "name": "Pattern for the span's name: `*` any text, `?` any one character",
    "service": "Pattern for the service's name",
    "scope": "Pattern for the name of the instrumentation scope",
    "kind": "The span's kind",
}
STAGE_MEANS = {
    "retrieval": "Searching documents: vector stores, embeddings, rerankers",
    "database": "Other databases",
    "context": "Assembling prompts",
    "inference": "Model calls",
    "tools": "Tool calls",
    "safety": "Guardrails, moderation, evaluation",
    "shaping": "Parsing and formatting answers",
    "queue": "Waiting for a free slot",
    "orchestration": "Chains and agents themselves",
    "user": "Waiting for a person: not part of latency; it can be matched, not capped",
    UNATTRIBUTED: "Time in no classified span; it can be capped, not matched",
}
PART_MEANS = {
    "first_token": "Time in model calls before their first token",
    "writing": "Time in model calls from their first token on",
    "prefill": "Time that the model server spends on prompts, where it tells",
    "decode": "Time that the model server spends on answers, where it tells",
}
CALL_MEANS = {
    "call_first_token": "Each model call's time to its first token, its queue included",
    "call_per_output_token": "Each model call's time per output token after the first",
}
FIRST_TOKEN_MEANS = "Caps for the first token of the request's answer, from the request's start"
NAMES_OF_STAGES = "^[^.]*$"  # names with a dot are those of parts


def caps(what: str, each: str = "request") -> Schema:
    """A table of caps by percentile, and the limit that no request (or call) may exceed."""
    return {
        "type": "object",
        "description": what,
        "properties": {
            **{p: {**DURATION, "description": f"Longest time at {p}"} for p in SUGGESTED},
            "max": {**DURATION, "description": f"No {each} may take longer"},
        },
        "patternProperties": {PERCENTILE: DURATION},
        "additionalProperties": False,
    }


def rules(of_stage: bool) -> Schema:
    """A `match`: one rule or several."""
    rule: Schema = {
        "type": "object",
        "properties": {
            **{key: {**TEXT, "description": CONDITION_MEANS[key]} for key in CONDITIONS},
            "equals": {
                "description": "Accepted values of `attribute`",
                "anyOf": [_VALUE, {"type": "array", "items": _VALUE, "minItems": 1}],
            },
        },
        "dependentRequired": {"equals": ["attribute"]},
        "anyOf": [{"required": [key]} for key in CONDITIONS],
        "additionalProperties": False,
    }
    rule["properties"]["kind"] = {"enum": list(KINDS), "description": CONDITION_MEANS["kind"]}
    if of_stage:
        rule["properties"]["weak"] = {
            "type": "boolean",
            "description": "Counts only where no classified span is above",
        }
    return {
        "description": "One rule, or several of which one must match; in a rule every condition must hold",
        "anyOf": [rule, {"type": "array", "items": rule, "minItems": 1}],
    }


_VALUE: Schema = {"type": ["string", "boolean", "number"]}


def _uncapped(what: str) -> Schema:
    return {"type": "object", "description": what, "properties": {}, "additionalProperties": False}


def stages() -> Schema:
    """The caps and rules of stages; a user's own stage needs a rule."""
    known = {}
    for name in (*DEFAULT_STAGES, UNATTRIBUTED):
        known[name] = caps(STAGE_MEANS[name]) if name != ASKS_PERSON else _uncapped(STAGE_MEANS[name])
        if name != UNATTRIBUTED:
            known[name]["properties"]["match"] = rules(of_stage=True)
    known[MODEL_STAGE]["properties"] |= call_caps()
    known |= parts()
    own = caps("A stage of your own")
    own["properties"]["match"] = rules(of_stage=True)
    own["properties"] |= call_caps()
    own["required"] = ["match"]
    return {
        "type": "object",
        "description": "Caps of stages, and rules",
        "properties": known,
        "propertyNames": _no_unknown_parts(),
        "additionalProperties": own,
    }


def parts() -> dict[str, Schema]:
    """The caps of parts of stages."""
    return {name: caps(PART_MEANS[name.split(".")[1]]) for name in PART_NAMES}


def call_caps() -> dict[str, Schema]:
    """The caps of each model call."""
    return {figure: caps(CALL_MEANS[figure], "call") for figure in CALL_FIGURES}


def _no_unknown_parts() -> Schema:
    return {"anyOf": [{"enum": list(PART_NAMES)}, {"pattern": NAMES_OF_STAGES}]}


def schema() -> Schema:
    """The schema of the whole file."""
    route = caps("Caps for requests of this route, instead of those of [budget]")
    route["properties"]["first_token"] = caps(FIRST_TOKEN_MEANS)
    route["properties"]["stages"] = {
        "type": "object",
        "description": "Caps of stages for this route; rules belong in [stages.NAME]",
        "properties": {name: caps(STAGE_MEANS[name]) for name in (*DEFAULT_STAGES, UNATTRIBUTED) if name != ASKS_PERSON}
        | parts(),
        "propertyNames": _no_unknown_parts(),
        "additionalProperties": caps("A stage of your own"),
    }
    score: Schema = {
        "type": "object",
        "description": "The score that separates good answers from bad ones",
        "properties": {
            "name": {**TEXT, "description": "Name of the score; without it, any recorded score"},
            "at_least": {"type": "number", "description": "Least score of a good answer"},
            "at_most": {"type": "number", "description": "Largest score of a good answer"},
        },
        "anyOf": [{"required": ["at_least"]}, {"required": ["at_most"]}],
        "additionalProperties": False,
    }
    sections: dict[str, Schema] = {
        "budget": caps("Caps for the whole request"),
        "request": _section("Which spans are requests, when roots are not", match=rules(of_stage=False)),
        "background": _section("Spans that nothing waits for: heartbeats, polls", match=rules(of_stage=False)),
        "good": _section("What counts as a good answer", score=score),
        "redact": _section(
            "What is never written to a dataset: overbudget ingest --budget FILE",
            keys=_texts("Attributes whose key matches one of these are left out; * is any text, ? one character"),
            patterns=_texts("Regular expressions; what matches is blotted out of names, messages and values"),
            presets={**_texts("What is well known"), "items": {"enum": list(PRESETS)}},
        ),
        "first_token": caps(FIRST_TOKEN_MEANS),
        "objective": {
            **_section(
                "Over weeks: the share of requests that do not fail and are within the cap on the whole request (at p95)",
                within={
                    "type": "number",
                    "description": "That share, between 0 and 1",
                    "exclusiveMinimum": 0,
                    "exclusiveMaximum": 1,
                    "examples": [0.99],
                },
                window={
                    "type": "string",
                    "description": f"Over how long, ending at the last request: hours, days or weeks; {WINDOW} where not given",
                    "pattern": r"^\s*[1-9][0-9]*\s*[hdw]\s*$",
                    "examples": [WINDOW],
                },
            ),
            "anyOf": [{"required": ["within"]}, {"maxProperties": 0}],
        },
        "stages": stages(),
        "models": {
            "type": "object",
            "description": "Caps of each call of one model",
            "additionalProperties": _section(
                "Each call of the models that this name or pattern matches", **call_caps()
            ),
        },
        "routes": {"type": "object", "description": "Other caps for one route", "additionalProperties": route},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A latency budget of overbudget",
        "type": "object",
        "properties": {name: sections[name] for name in SECTIONS},
        "additionalProperties": False,
    }


def _texts(what: str) -> Schema:
    return {"type": "array", "description": what, "items": {"type": "string", "minLength": 1}}


def text() -> str:
    """The schema as it is kept."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def _section(what: str, **properties: Schema) -> Schema:
    return {"type": "object", "description": what, "properties": properties, "additionalProperties": False}
