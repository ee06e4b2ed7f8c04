"""overbudget tail."""

import json
from pathlib import Path

from analysis.budget import load_budget
from analysis.requests import Filters
from analysis.tail import tail
from app.report.tail_text import print_tail
from store.dataset import open_dataset


def run(
    dataset: Path, budget_file: Path | None, route: str | None, percentile: int, over_budget: bool, as_json: bool
) -> None:
    """Print what the slow requests have in common."""
    budget = load_budget(budget_file) if budget_file else None
    found = tail(open_dataset(dataset), budget, Filters(route=route), percentile, over_budget)
    if as_json:
        print(json.dumps(found.as_dict(), indent=2, ensure_ascii=False))
    else:
        print_tail(found)
