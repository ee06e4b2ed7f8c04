"""overbudget advise."""

from pathlib import Path

from overbudget.analysis.advice.advice import advise
from overbudget.analysis.budget.file import load_budget
from overbudget.analysis.requests.table import Filters
from overbudget.app.text.advice import advice_blocks
from overbudget.app.text.json_text import json_text
from overbudget.app.text.terminal import show
from overbudget.store.dataset import open_dataset


def run(dataset: Path, budget_file: Path | None, filters: Filters, as_json: bool) -> None:
    """Print what to change first."""
    budget = load_budget(budget_file) if budget_file else None
    named = str(budget_file) if budget_file else None
    found = advise(open_dataset(dataset), str(dataset), budget, filters, named)
    if as_json:
        print(json_text({"advice": [advice.as_dict() for advice in found]}))
    else:
        show(advice_blocks(found))
