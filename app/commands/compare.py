"""overbudget compare."""

import json
from collections.abc import Sequence
from pathlib import Path

from analysis.budget import load_budget
from analysis.budget_problems import question
from analysis.compare import Side, compare
from analysis.requests import Filters
from app.report.compare_text import print_comparison
from store.dataset import open_dataset
from store.errors import OverbudgetError

KEYS = ("route", "service", "model", "status")


def run(
    base: Path,
    candidate: Path,
    budget_file: Path | None,
    only_base: Sequence[str],
    only_candidate: Sequence[str],
    as_json: bool,
    fail_on_regression: bool,
) -> int:
    """Print what changed; 1 where that is a regression and `fail_on_regression` is set, else 0."""
    budget = load_budget(budget_file) if budget_file else None
    before, after = (
        Side(open_dataset(dataset), filters_of(only))
        for dataset, only in ((base, only_base), (candidate, only_candidate))
    )
    found = compare(before, after, budget)
    if as_json:
        print(json.dumps(found.as_dict(), indent=2, ensure_ascii=False))
    else:
        print_comparison(found)
    return 1 if fail_on_regression and found.regressions else 0


def filters_of(conditions: Sequence[str]) -> Filters:
    """Filters from KEY=VALUE; several values of one key are alternatives.

    Errors: OverbudgetError where a key is unknown or a value missing.
    """
    chosen: dict[str, list[str]] = {}
    for condition in conditions:
        key, equals, value = condition.partition("=")
        if not equals or key not in KEYS:
            meant = question(key, KEYS) if equals else ""
            raise OverbudgetError(f"`{condition}` is not KEY=VALUE with a key of {', '.join(KEYS)}.{meant}")
        chosen.setdefault(key, []).append(value)
    route, service, model, status = (chosen.get(key) for key in KEYS)
    return Filters(route=route, service=service, model=model, status=status)
