"""docs/reference/json.md, made from the schemas in app/schemas/."""

import json
from pathlib import Path
from typing import Any

from scripts.pages.json_schemas import Schema, keys

SCHEMAS = Path(__file__).parents[2] / "app" / "schemas"
COMMANDS = (
    "ingest",
    "review",
    "check",
    "tail",
    "whatif",
    "advise",
    "load",
    "consistency",
    "audit",
    "allocate",
    "compare",
    "trace",
    "sql",
)
HEAD = """# The JSON that commands print

`overbudget COMMAND … --json` prints one document to stdout. Keys may be added; none is renamed, removed or changes its meaning
without a note in CHANGELOG.md, so a program should ignore keys that it does not know. Times that end in `_ns` are whole
nanoseconds, shares lie between 0 and 1, and unknown values are null.

Each has a JSON Schema (draft 2020-12), installed with the package:
`importlib.resources.files("overbudget.app.schemas") / "review.schema.json"`. Tests check every command against it. `[]` means each
entry of a list. [method.md](method.md) defines the quantities.
"""
OF_SQL = """A list with an object for each row, its keys the columns of the query. Integers stay integers, times become ISO 8601 text, maps
objects, lists and structs lists and objects; what JSON cannot hold (NaN, infinity) becomes null.
"""


def file_of(command: str) -> Path:
    """Where the schema of a command is kept."""
    return SCHEMAS / f"{command}.schema.json"


def page() -> str:
    """The page as Markdown."""
    return "\n".join([HEAD, *(_section(command) for command in COMMANDS)])


def _section(command: str) -> str:
    schema = json.loads(file_of(command).read_text(encoding="utf-8"))
    head = f"## overbudget {command} --json\n\n[{command}.schema.json](../../app/schemas/{command}.schema.json)\n"
    return f"{head}\n{OF_SQL if command == 'sql' else _table(command, schema)}"


def _table(command: str, schema: Schema) -> str:
    """A row for each key; the keys of an object like an earlier one are not repeated."""
    rows: list[str] = []
    seen: dict[str, str] = {}  # the keys of an object, and where they are told
    again: list[str] = ["check.review"]
    for path, found in keys(command, schema):
        if any(path.startswith(f"{done}.") for done in again):
            continue
        name, said = _with_lists(path.removeprefix(f"{command}."), schema), found.get("description", "")
        below = list(found.get("items", found).get("properties", {}))
        first = seen.setdefault(" ".join(below), name) if len(below) > 2 else name
        if first != name:
            again.append(path)
            said += f"; keys as in `{first}`"
        rows.append(f"| `{name}` | {_type(found)} | {said} |")
    return "\n".join(["| key | type | means |", "| --- | --- | --- |", *rows, ""])


def _with_lists(path: str, schema: Schema) -> str:
    """`breakdown.stages.share` as `breakdown[].stages[].share`."""
    shown = []
    for part in path.split("."):
        schema = schema.get("items", schema)["properties"][part]
        shown.append(f"{part}[]" if "items" in schema and "properties" in schema["items"] else part)
    return ".".join(shown)


def _type(found: Schema) -> str:
    kinds: Any = found["type"]
    several = [kinds] if isinstance(kinds, str) else kinds
    inner = found.get("items", {}).get("type")
    named = [f"list of {inner}" if kind == "array" and isinstance(inner, str) else kind for kind in several]
    return ", ".join(named).replace("array", "list").replace("list of object", "list of objects")
