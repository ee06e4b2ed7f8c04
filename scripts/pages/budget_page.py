"""docs/reference/budget-file.md: how a budget is written, and every key, from its schema."""

import re
from collections.abc import Iterator

from scripts.pages.budget_schema import DURATION, PERCENTILE, Schema, schema

HEAD = """# The budget file

TOML; every key is optional. What a cap means and how it is judged is in [method.md](method.md), "Budgets and verdicts".

```toml
#:schema ./budget.schema.json
[budget]                      # caps for the whole request
p50 = "1.2s"
p95 = "2s"

[request]                     # which spans are requests, when roots are not
match = { name = "POST /chat" }

[good]                        # what counts as a good answer
score = { name = "correctness", at_least = 0.7 }

[stages.retrieval]            # caps of a stage, and what belongs to it in addition to the default rules
p50 = "200ms"
p95 = "400ms"
match = [
    { attribute = "openinference.span.kind", equals = "RETRIEVER" },
    { name = "search_*" },
    { service = "vector-db", weak = true },
]

[first_token]                 # from the request's start to the first token of its answer
p95 = "900ms"

[stages.inference]
p95 = "1s"
call_first_token = { p95 = "400ms", max = "2s" }   # of each model call, its queue included
call_per_output_token = { p95 = "25ms" }           # of each token that a call writes after the first

[stages."inference.writing"]  # a part of a stage, per request like a stage: first_token, writing, prefill or decode
p95 = "700ms"

[models."mist-*"]             # the same for the calls of one model
call_first_token = { p95 = "250ms" }

[stages.billing]              # a stage of your own needs a rule
p95 = "50ms"
match = { service = "billing" }

[objective]                   # over weeks: the share of requests that do not fail and are within the cap at p95
within = 0.99
window = "28d"

[routes."POST /search"]       # other caps for one route
p95 = "500ms"
first_token.p95 = "300ms"
stages.retrieval.p95 = "300ms"
```

- Write durations in quotes: `400ms`, `2s`, `1.5s`, `250us`, `1m30s`; the longest is 30 days.
- The cap at a percentile is the one given for it, else the one given for the next higher percentile.
- `max` is a limit: no request may exceed it, or no call where it is one of single model calls. One that does is enough to be over.
- A route has its own caps if it sets any, separately for the whole request, its first token and each stage; else the general
  ones. Caps of single model calls hold for all routes.
- Names with a dot are those of parts of stages, and are quoted: `[stages."inference.first_token"]`.
- Model calls that record no first token are in no percentile of first tokens; the answer says how many they are.
- Rules come before the default ones, and the first that matches an operation decides. In patterns `*` is any text, `?` one character.
- A misspelt key, an impossible duration or a cap that falls as percentiles rise is refused with its line and the likely correction.
- A budget file next to a dataset in the workspace, named `NAME.budget.toml` is that dataset's budget for everyone who opens it on the
  dashboard.

## In an editor

[budget.schema.json](../../app/schemas/budget.schema.json) is a JSON Schema of the file, which editors use to complete and check it. It is
installed with the package; copy it next to your budget,

```
cp "$(python -c 'import overbudget.app.schemas as s; print(s.__path__[0])')/budget.schema.json" .
```

and name it in the first line, as above: `#:schema ./budget.schema.json`. Editors with Taplo (Even Better TOML in VS Code, and
others) read that line. `overbudget check` says more than a schema can: likely corrections and contradictions.

## Every key

`p95` stands for any percentile from `p1` to `p99`.
"""


def page() -> str:
    """The page as Markdown."""
    rows = [f"| `{key}` | {form} | {said} |" for key, form, said in _keys("", schema())]
    return "\n".join([HEAD, "| key | value | means |", "| --- | --- | --- |", *rows, ""])


def _keys(above: str, of: Schema) -> Iterator[tuple[str, str, str]]:
    if PERCENTILE in of.get("patternProperties", {}):
        yield f"{above}p95", "duration", "Longest time at that percentile"
    own = of.get("additionalProperties")
    for key, found in of.get("properties", {}).items():
        if own:  # names that are known already, with the keys of NAME
            yield f"{above}{key}", "table", found["description"]
        elif not re.fullmatch(PERCENTILE, key):
            yield from _key(f"{above}{key}", found)
    if own:
        yield from _key(f"{above}NAME", own)


def _key(path: str, found: Schema) -> Iterator[tuple[str, str, str]]:
    below = next((choice for choice in found.get("anyOf", ()) if "properties" in choice), found)
    if "properties" in below or "additionalProperties" in below:
        table = "table, or list of tables" if below is not found else "table"
        yield path, table, found["description"]
        yield from _keys(f"{path}.", below)
    else:
        yield path, _form(found), found["description"]


def _form(found: Schema) -> str:
    if "enum" in found:
        return ", ".join(found["enum"])
    if found.get("pattern") == DURATION["pattern"]:
        return "duration"
    if "type" in found:
        return {"string": "text", "boolean": "true or false"}.get(found["type"], found["type"])
    return "text, number or boolean, or a list of them"
