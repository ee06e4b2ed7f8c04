"""The forms in which callers may give a budget and filters, converted for the analyses."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from overbudget.analysis.budget.file import load_budget, parse_budget
from overbudget.analysis.budget.model import Budget
from overbudget.analysis.requests.table import Filters
from overbudget.app.commands.choice import filters_of
from overbudget.store.errors import OverbudgetError

BudgetLike = Budget | str | os.PathLike[str] | Mapping[str, Any] | None
Only = Filters | Mapping[str, str | Sequence[str]] | Sequence[str] | str | None


def budget_of(source: Budget | str | os.PathLike[str] | Mapping[str, Any]) -> Budget:
    """A budget from a file's path, from TOML text (a string with a line break, or one that begins with `[`), or from a
    dict laid out like the file: `{"budget": {"p95": "2s"}, "stages": {"retrieval": {"p95": "400ms"}}}`.

    Errors: OverbudgetError where there is no such file, or with every problem in the budget.
    """
    if isinstance(source, Budget):
        return source
    if isinstance(source, Mapping):
        return parse_budget(_toml(source), "The budget")
    if isinstance(source, str) and ("\n" in source or source.lstrip().startswith("[")):
        return parse_budget(source, "The budget")
    if isinstance(source, str | os.PathLike):
        return load_budget(source)
    raise OverbudgetError(f"A budget is a file's path, TOML text or a dict, not a {type(source).__name__}.")


def optional_budget(source: BudgetLike) -> Budget | None:
    """Like budget_of; None stays None."""
    return None if source is None else budget_of(source)


def budget_file(source: BudgetLike) -> str | None:
    """The path that a budget was given as, for commands that name it; None where it is not a file."""
    if isinstance(source, str | os.PathLike) and not (isinstance(source, str) and "\n" in source):
        return os.fspath(source) if Path(source).is_file() else None
    return None


def chosen(only: Only) -> Filters:
    """Filters from `"model=big"`, a list of such conditions, or a dict; the keys are those of `--only`.

    Errors: OverbudgetError where a key is unknown or a time cannot be read.
    """
    if only is None or isinstance(only, Filters):
        return only or Filters()
    if isinstance(only, str):
        return filters_of([only])
    if isinstance(only, Mapping):
        pairs = ((key, [values] if isinstance(values, str) else values) for key, values in only.items())
        return filters_of([f"{key}={value}" for key, values in pairs for value in values])
    return filters_of(only)


def pairs(settings: Mapping[str, str | float] | None) -> list[str]:
    """`NAME=VALUE` for each, as the command line takes them."""
    return [f"{name}={value}" for name, value in (settings or {}).items()]


def groups(names: Sequence[str] | Sequence[Sequence[str]]) -> list[list[str]]:
    """One group of names, or several: always several."""
    single = [name for name in names if isinstance(name, str)]
    return [*([single] if single else []), *(list(group) for group in names if not isinstance(group, str))]


def _toml(source: Mapping[str, Any]) -> str:
    import tomlkit

    try:
        return tomlkit.dumps(source)
    except (TypeError, ValueError) as error:
        raise OverbudgetError(f"The budget cannot be written as TOML: {error}.") from error
