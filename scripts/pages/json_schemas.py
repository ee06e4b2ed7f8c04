"""JSON Schemas of what the commands print, made from their output and from the types of the results.

The answers show which keys there are; which other values a key can have follows from the dataclass with the object's
fields (a field that may be None is null in some answer), and from the description of the key ("null where …").
"""

import importlib
import pkgutil
import re
import types
import typing
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Literal

from overbudget import analysis
from overbudget.ingest.report import DumpWarning, FileReport
from scripts.pages.json_meanings import meaning

OPEN = {"review.budget", "selected.filters", "bins.server", "arrivals.server"}  # whose keys are the user's
ALIKE = 0.6  # the part of all keys that an object and a dataclass must share
ORDER = ("string", "boolean", "integer", "number", "object", "array", "null")

Schema = dict[str, Any]


def schema_of(command: str, documents: Sequence[Any]) -> Schema:
    """The schema of a command's documents."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"overbudget {command} --json",
        **_schema(command, documents, None),
    }


def without_meaning(command: str, schema: Schema) -> list[str]:
    """The paths of keys without a description."""
    return [path for path, found in keys(command, schema) if "description" not in found and command != "sql"]


def keys(path: str, schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Every key below `path` with its schema, in the order of the documents."""
    for key, found in schema.get("properties", {}).items():
        yield f"{path}.{key}", found
        yield from keys(f"{path}.{key}", found)
    if "items" in schema:
        yield from keys(path, schema["items"])


def closed(schema: Schema) -> Schema:
    """The same schema without other keys: a test checks today's answers against it."""
    found = {key: closed(value) if key == "items" else value for key, value in schema.items()}
    if "properties" in schema:
        found["properties"] = {key: closed(value) for key, value in schema["properties"].items()}
        found["additionalProperties"] = False
    return found


def _schema(path: str, values: Sequence[Any], hint: Any) -> Schema:
    kinds = {_kind(value) for value in values}
    kinds |= _kinds_of(hint) & ({"null"} if kinds & {"object", "array"} else set(ORDER))
    if re.search(r"\bnull\b", meaning(path) or ""):
        kinds.add("null")
    if "number" in kinds:
        kinds.discard("integer")
    found: Schema = {"type": _one_or_many(kinds)}
    choices = _choices(hint)
    if choices:
        found["enum"] = [*choices, *([None] if "null" in kinds else [])]
    objects = [value for value in values if isinstance(value, dict)]
    if objects and not any(path.endswith(end) for end in OPEN) and path != "sql":
        found |= _object(path, objects)
    below = [one for value in values if isinstance(value, list) for one in value]
    if below:
        found["items"] = _schema(path, below, None)
    return found


def _object(path: str, objects: Sequence[dict[str, Any]]) -> Schema:
    names = list(dict.fromkeys(key for one in objects for key in one))
    hints = _hints({name: [one[name] for one in objects if name in one] for name in names})
    properties = {}
    for name in names:
        here = f"{path}.{name}"
        said = meaning(here)
        properties[name] = {
            **({"description": said} if said else {}),
            **_schema(here, [one[name] for one in objects if name in one], hints.get(name)),
        }
    return {"properties": properties, "required": [name for name in names if all(name in one for one in objects)]}


def _hints(given: dict[str, list[Any]]) -> dict[str, Any]:
    """The types of the fields of the result that is most like an object with these keys and values; without one, for plain
    values, of a field that is called so in one result alone."""
    names = set(given)
    best, score = None, ALIKE
    for result in _results():
        own = _fields(result)
        alike = len(own & names) / len(own | names)
        if alike > score or (alike == score and best is None):
            best, score = result, alike
    if best:
        return typing.get_type_hints(best)
    return {name: _only_hint(name) for name in names if not any(isinstance(one, dict | list) for one in given[name])}


def _only_hint(name: str) -> Any:
    owners = [result for result in _results() if name in _fields(result)]
    return typing.get_type_hints(owners[0])[name] if len(owners) == 1 else None


def _fields(result: Any) -> set[str]:
    return {field.name for field in fields(result)} if is_dataclass(result) else set(result._fields)


_FOUND: list[type] = []


def _results() -> list[type]:
    """Every dataclass and named tuple of the rooms whose results are printed."""
    if not _FOUND:
        _FOUND.extend((FileReport, DumpWarning))
        for module in sorted(one.name for one in pkgutil.walk_packages(analysis.__path__, "overbudget.analysis.")):
            members = vars(importlib.import_module(module)).values()
            own = [one for one in members if isinstance(one, type) and one.__module__ == module]
            _FOUND.extend(one for one in own if is_dataclass(one) or hasattr(one, "_fields"))
    return _FOUND


def _parts(hint: Any) -> Sequence[Any]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return typing.get_args(hint)
    return () if hint is None else (hint,)


def _kinds_of(hint: Any) -> set[str]:
    """The scalar kinds of a type; objects and lists are known from the answers alone."""
    plain = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
    return {plain[part] for part in _parts(hint) if part in plain} | ({"string"} if _choices(hint) else set())


def _choices(hint: Any) -> list[str]:
    return [choice for part in _parts(hint) if typing.get_origin(part) is Literal for choice in typing.get_args(part)]


def _kind(value: Any) -> str:
    named = {str: "string", bool: "boolean", int: "integer", float: "number", dict: "object", list: "array"}
    return "null" if value is None else named[type(value)]


def _one_or_many(kinds: set[str]) -> str | list[str]:
    several = sorted(kinds, key=ORDER.index)
    return several[0] if len(several) == 1 else several
