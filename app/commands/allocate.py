"""overbudget allocate."""

from collections.abc import Sequence
from pathlib import Path

from overbudget.analysis.allocate.allocate import allocate, budget_changes
from overbudget.analysis.allocate.total import parse_total, total_of
from overbudget.analysis.budget.file import load_budget, save_budget
from overbudget.analysis.requests.table import Filters
from overbudget.analysis.whatif.whatif import Workbench
from overbudget.app.text.allocate import allocation_blocks
from overbudget.app.text.blocks import Sentence
from overbudget.app.text.json_text import json_text
from overbudget.app.text.terminal import show
from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError


def run(
    dataset: Path,
    total: str | None,
    fixed: Sequence[str],
    budget_file: Path | None,
    route: str | None,
    filters: Filters,
    as_json: bool,
    write: Path | None,
) -> None:
    """Print limits for every stage, and write them to a budget file if asked."""
    asked = parse_total(total) if total is not None else None
    budget = load_budget(budget_file) if budget_file else None
    bench = Workbench(open_dataset(dataset), budget, filters)
    percentile, cap_ns = asked or total_of(budget, bench.table.routes)
    found = allocate(bench, percentile, cap_ns, fixed)
    if as_json:
        print(json_text(found.as_dict()))
    else:
        show(allocation_blocks(found))
    if write is not None:
        if not found.feasible:
            raise OverbudgetError(f"{write} was not written, because no limits keep this total.")
        before = load_budget(write) if write.exists() else None
        save_budget(write, budget_changes(found, before, route))
        if not as_json:
            show([Sentence(f"Written to {write}.")])
