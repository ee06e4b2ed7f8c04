"""overbudget whatif."""

import json
from collections.abc import Sequence
from pathlib import Path

from analysis.budget import load_budget
from analysis.changes import Wish
from analysis.requests import Filters
from analysis.whatif import Workbench
from app.report.whatif_text import print_what_if
from store.dataset import open_dataset


def run(dataset: Path, budget_file: Path | None, filters: Filters, wishes: Sequence[Wish], as_json: bool) -> None:
    """Print the distribution before and after the changes."""
    budget = load_budget(budget_file) if budget_file else None
    found = Workbench(open_dataset(dataset), budget, filters).what_if(wishes)
    if as_json:
        print(json.dumps(found.as_dict(), indent=2, ensure_ascii=False))
    else:
        print_what_if(found)
