"""overbudget whatif."""

from collections.abc import Sequence
from pathlib import Path

from overbudget.analysis.budget.file import load_budget
from overbudget.analysis.requests.table import Filters
from overbudget.analysis.whatif.changes import Change
from overbudget.analysis.whatif.whatif import Workbench
from overbudget.app.text.json_text import json_text
from overbudget.app.text.terminal import show
from overbudget.app.text.whatif import what_if_blocks
from overbudget.store.dataset import open_dataset


def run(dataset: Path, budget_file: Path | None, filters: Filters, changes: Sequence[Change], as_json: bool) -> None:
    """Print the distribution before and after the changes."""
    budget = load_budget(budget_file) if budget_file else None
    found = Workbench(open_dataset(dataset), budget, filters).what_if(changes)
    if as_json:
        print(json_text(found.as_dict()))
    else:
        show(what_if_blocks(found))
