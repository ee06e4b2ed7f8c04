"""overbudget load."""

import json
from pathlib import Path

from analysis.budget import load_budget
from analysis.load import load
from analysis.requests import Filters
from app.report.load_text import print_load
from store.dataset import open_dataset


def run(dataset: Path, budget_file: Path | None, filters: Filters, as_json: bool) -> None:
    """Print latency against load."""
    budget = load_budget(budget_file) if budget_file else None
    found = load(open_dataset(dataset), budget, filters)
    if as_json:
        print(json.dumps(found.as_dict(), indent=2, ensure_ascii=False))
    else:
        print_load(found)
