"""overbudget consistency."""

from pathlib import Path

from overbudget.analysis.budget.file import load_budget
from overbudget.analysis.consistency.consistency import consistency
from overbudget.analysis.requests.table import Filters
from overbudget.app.text.consistency import consistency_blocks
from overbudget.app.text.json_text import json_text
from overbudget.app.text.terminal import show
from overbudget.store.dataset import open_dataset


def run(dataset: Path, budget_file: Path | None, filters: Filters, as_json: bool) -> None:
    """Print how predictable the latency is."""
    budget = load_budget(budget_file) if budget_file else None
    found = consistency(open_dataset(dataset), budget, filters)
    if as_json:
        print(json_text(found.as_dict()))
    else:
        show(consistency_blocks(found))
