"""overbudget review and overbudget check."""

from collections.abc import Sequence
from pathlib import Path

from overbudget.analysis.budget.file import load_budget
from overbudget.analysis.requests.read import require_known
from overbudget.analysis.requests.table import Filters
from overbudget.analysis.review.review import PERCENTILES, judge, measure, over, read_evidence, unjudged
from overbudget.app.commands.broken_pipe import until_the_reader_leaves
from overbudget.app.commands.whole_file import write_whole
from overbudget.app.text.blocks import Block
from overbudget.store.dataset import open_dataset


def run(
    dataset: Path,
    budget_file: Path | None,
    filters: Filters,
    include_incomplete: bool,
    form: str,
    html: Path | None = None,
) -> None:
    """Print the review as text, json or markdown, or write the whole report as the file `html`."""
    budget = load_budget(budget_file) if budget_file else None
    connection = open_dataset(dataset)
    evidence = read_evidence(connection, budget)
    require_known(evidence.requests, filters)
    routes, apart = (tuple(budget.routes), budget.failures_apart) if budget else ((), False)
    result = judge(measure(evidence, filters, PERCENTILES, include_incomplete, routes, apart), budget)
    if html is not None:
        from overbudget.app.html.report import review_html

        text = review_html(connection, dataset.stem, result, budget, filters)
        write_whole(html, text)
        print(f"The report is in {html}.")
    elif form == "json":
        from overbudget.app.text.review_json import review_json

        print(review_json(result))
    else:
        from overbudget.app.text.review import review_blocks

        _say(review_blocks(result), form)


def run_check(dataset: Path, budget_file: Path, filters: Filters, form: str, strict: bool = False) -> int:
    """Print which caps are over among the requests that `filters` leave, as text, json or markdown; 1 where one is, or
    with `strict` could not be judged, else 0."""
    from overbudget.app.text.check import check_blocks
    from overbudget.app.text.review_json import check_json

    budget = load_budget(budget_file)
    evidence = read_evidence(open_dataset(dataset), budget)
    require_known(evidence.requests, filters)
    routes = tuple(budget.routes)
    result = judge(measure(evidence, filters, PERCENTILES, False, routes, budget.failures_apart), budget)
    broken = over(result)
    with until_the_reader_leaves():
        if form == "json":
            print(check_json(result, broken))
        else:
            _say(check_blocks(result, broken, whole=form == "markdown"), form)
    return 1 if broken or (strict and unjudged(result)) else 0


def _say(blocks: Sequence[Block], form: str) -> None:
    from overbudget.app.text.markdown import markdown
    from overbudget.app.text.terminal import show

    if form == "markdown":
        print(markdown(blocks))
    else:
        show(blocks)
