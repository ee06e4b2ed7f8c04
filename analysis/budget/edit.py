"""Changing caps in a budget file while its comments, order and spacing stay as its owner left them."""

import re
from collections.abc import Mapping
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from overbudget.analysis.budget.model import CALL_FIGURES
from overbudget.analysis.common.durations import duration_literal
from overbudget.store.errors import OverbudgetError


def edited(text: str, changes: Mapping[tuple[str, ...], int | None]) -> str:
    """See analysis.budget.file.edit_budget."""
    try:
        document = tomlkit.parse(text)
    except TOMLKitError as error:
        raise OverbudgetError(f"The budget cannot be changed because it is not valid TOML: {error}.") from error
    new: list[Any] = []
    for path, ns in changes.items():
        table: Any = document
        for depth, part in enumerate(path[:-1]):
            if part not in table:
                if ns is None:
                    break
                if part in CALL_FIGURES:
                    table[part] = tomlkit.inline_table()
                else:
                    # [stages], [models] and [routes] contain only other tables, so they get no header
                    header = depth == len(path) - 2 or part not in ("stages", "models", "routes")
                    table[part] = tomlkit.table(is_super_table=not header)
                    new += [table[part]] if header else []
            table = table[part]
        else:
            if ns is not None:
                table[path[-1]] = duration_literal(ns)
            elif path[-1] in table:
                del table[path[-1]]
                if path[-2] in CALL_FIGURES and not table:
                    del _at(document, path[:-2])[path[-2]]
    for table in new:
        table.add(tomlkit.nl())
    result = tomlkit.dumps(document)
    if not text.strip():
        result = re.sub(r"\n{3,}", "\n\n", result).lstrip("\n")
    return result.rstrip("\n") + "\n" if new else result


def _at(document: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        document = document[part]
    return document
