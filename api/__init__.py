"""Which stage of an LLM system blows its latency budget, at which percentile, why, and what to change.

    import overbudget

    overbudget.ingest(["traces.jsonl.gz"], to="traces.duckdb")
    traces = overbudget.open("traces.duckdb")
    traces.review(budget="budget.toml")

docs/reference/python.md describes every name. Importing this loads nothing else: each call loads what it needs.
"""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from overbudget.analysis.budget.model import Budget
    from overbudget.analysis.requests.table import Filters
    from overbudget.answers.answer import Answer
    from overbudget.choices import budget_of as load_budget
    from overbudget.dataset import Dataset, ingest, open
    from overbudget.store.errors import OverbudgetError

    __version__: str

__all__ = [
    "Answer",
    "Budget",
    "Dataset",
    "Filters",
    "OverbudgetError",
    "__version__",
    "ingest",
    "load_budget",
    "open",
]

_HOME = {  # public name → module, and its name there
    "Answer": ("overbudget.answers.answer", "Answer"),
    "Budget": ("overbudget.analysis.budget.model", "Budget"),
    "Dataset": ("overbudget.dataset", "Dataset"),
    "Filters": ("overbudget.analysis.requests.table", "Filters"),
    "OverbudgetError": ("overbudget.store.errors", "OverbudgetError"),
    "load_budget": ("overbudget.choices", "budget_of"),
    "open": ("overbudget.dataset", "open"),
}


class _IngestRoom(ModuleType):
    """The package `overbudget.ingest`, which can also be called as the function of the same name: both are public."""

    def __call__(self, *dumps: Any, **options: Any) -> Any:
        from overbudget.dataset import ingest

        return ingest(*dumps, **options)


class _Package(ModuleType):
    """This package. Python sets a sub-package as an attribute when it is first imported, wherever that happens."""

    def __setattr__(self, name: str, value: object) -> None:
        if name == "ingest" and type(value) is ModuleType:
            value.__class__ = _IngestRoom
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name == "ingest":
        return importlib.import_module("overbudget.ingest")
    if name == "__version__":
        from importlib.metadata import version

        return version("overbudget")
    if name not in _HOME:
        raise AttributeError(f"module 'overbudget' has no attribute {name!r}")
    module, theirs = _HOME[name]
    value = getattr(importlib.import_module(module), theirs)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
