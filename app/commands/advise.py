"""overbudget advise."""

import json
from pathlib import Path

from analysis.advice import advise
from analysis.budget import load_budget
from analysis.requests import Filters
from app.report.advice_text import print_advice
from store.dataset import open_dataset


def run(dataset: Path, budget_file: Path | None, filters: Filters, as_json: bool) -> None:
    """Print what to change first."""
    budget = load_budget(budget_file) if budget_file else None
    named = str(budget_file) if budget_file else None
    found = advise(open_dataset(dataset), str(dataset), budget, filters, named)
    if as_json:
        print(json.dumps({"advice": [advice.as_dict() for advice in found]}, indent=2, ensure_ascii=False))
    else:
        print_advice(found)
