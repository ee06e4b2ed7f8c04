"""What is left of the budget along the way, on the Review page."""

from overbudget.analysis.budget.caps import MAIN_PERCENTILE
from overbudget.analysis.review.result import Review
from overbudget.app.charts.burn_down import burn_down_figure
from overbudget.app.dashboard import blocks
from overbudget.app.text.burn_down import title, usual_visits


def picture(review: Review, percentile: int = MAIN_PERCENTILE) -> None:
    """A row for each stage in the order of the path; nothing without a cap on the whole request."""
    if not usual_visits(review, percentile):
        return
    blocks.caption(f"{title(review, percentile)}; blue: around p{percentile}, grey: typical requests")
    blocks.chart(
        burn_down_figure(review, percentile), "burn down", "What is left of the cap when each stage takes over"
    )
