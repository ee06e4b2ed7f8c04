"""overbudget consistency."""

import json
from pathlib import Path

from analysis.budget import load_budget
from analysis.consistency import consistency
from analysis.requests import Filters
from app.report.consistency_text import print_consistency
from store.dataset import open_dataset


def run(dataset: Path, budget_file: Path | None, filters: Filters, as_json: bool) -> None:
    """Print how predictable the latency is."""
    budget = load_budget(budget_file) if budget_file else None
    found = consistency(open_dataset(dataset), budget, filters)
    if as_json:
        print(json.dumps(found.as_dict(), indent=2, ensure_ascii=False))
    else:
        print_consistency(found)
