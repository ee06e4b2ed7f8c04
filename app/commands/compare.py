"""overbudget compare."""

from collections.abc import Sequence
from pathlib import Path

from overbudget.analysis.budget.file import load_budget
from overbudget.analysis.compare.compare import Side, compare
from overbudget.app.commands.broken_pipe import until_the_reader_leaves
from overbudget.app.commands.choice import filters_of
from overbudget.app.text.compare import comparison_blocks
from overbudget.app.text.json_text import json_text
from overbudget.app.text.markdown import markdown
from overbudget.app.text.terminal import show
from overbudget.store.dataset import open_dataset


def run(
    base: Path,
    candidate: Path,
    budget_file: Path | None,
    only_base: Sequence[str],
    only_candidate: Sequence[str],
    margin: float,
    form: str,
    fail_on_regression: bool,
) -> int:
    """Print what changed as text, json or markdown; 1 where it is slower or fails more and `fail_on_regression` is set, else 0."""
    budget = load_budget(budget_file) if budget_file else None
    before, after = (
        Side(open_dataset(dataset), filters_of(only))
        for dataset, only in ((base, only_base), (candidate, only_candidate))
    )
    found = compare(before, after, budget, margin)
    with until_the_reader_leaves():
        if form == "json":
            print(json_text(found.as_dict()))
        elif form == "markdown":
            print(markdown(comparison_blocks(found)))
        else:
            show(comparison_blocks(found))
    return 1 if fail_on_regression and found.regressed else 0
