"""overbudget tail."""

from pathlib import Path

from overbudget.analysis.budget.file import load_budget
from overbudget.analysis.requests.table import Filters
from overbudget.analysis.tail.tail import TooFew, tail
from overbudget.app.text.json_text import json_text
from overbudget.app.text.tail import tail_blocks
from overbudget.app.text.terminal import show
from overbudget.store.dataset import open_dataset


def run(
    dataset: Path, budget_file: Path | None, filters: Filters, percentile: int, over_budget: bool, as_json: bool
) -> None:
    """Print what the slow requests have in common."""
    budget = load_budget(budget_file) if budget_file else None
    try:
        found = tail(open_dataset(dataset), budget, filters, percentile, over_budget)
    except TooFew as few:
        print(json_text(few.as_dict(percentile)) if as_json else few)
        return
    if as_json:
        print(json_text(found.as_dict()))
    else:
        show(tail_blocks(found))
