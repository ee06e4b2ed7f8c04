"""overbudget review and overbudget check."""

from pathlib import Path

from analysis.budget import Budget, load_budget
from analysis.requests import Filters, require_known
from analysis.review import judge, measure, over, read_evidence, review
from app.reader import until_the_reader_leaves
from store.dataset import open_dataset
from store.errors import OverbudgetError


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
    result = judge(
        measure(
            evidence, filters, include_incomplete=include_incomplete, routes=tuple(budget.routes) if budget else ()
        ),
        budget,
    )
    if html is not None:
        from app.report.html import review_html

        text = review_html(connection, dataset.stem, result, budget, filters)
        try:
            html.write_text(text, encoding="utf-8")
        except OSError as error:
            raise OverbudgetError(f"Cannot write {html}: {error.strerror or error}.") from error
        print(f"The report is in {html}.")
    elif form == "json":
        from app.report.review_json import review_json

        print(review_json(result))
    elif form == "markdown":
        from app.report.markdown import review_markdown

        print(review_markdown(result))
    else:
        from app.report.text import print_review

        print_review(result)


def run_check(dataset: Path, budget_file: Path, as_json: bool) -> int:
    """Print which caps are over; 1 where one is, else 0."""
    from app.report.review_json import check_json
    from app.report.words import check_sentences

    budget: Budget = load_budget(budget_file)
    result = review(open_dataset(dataset), budget)
    broken = over(result)
    with until_the_reader_leaves():
        print(check_json(result, broken) if as_json else "\n".join(check_sentences(result, broken)))
    return 1 if broken else 0
