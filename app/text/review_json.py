"""The review for programs: the JSON that docs/reference/json.md describes."""

from overbudget.analysis.review.over import Over, unjudged
from overbudget.analysis.review.result import Review
from overbudget.app.text.json_text import json_text


def review_json(review: Review) -> str:
    """The review as JSON text, two blanks to a level, names as they are (not escaped to ASCII)."""
    return json_text(review.as_dict())


def check_json(review: Review, broken: list[Over]) -> str:
    """The outcome of `overbudget check` as JSON text: every broken cap, and the review they were found in."""
    found = {
        "over": [entry._asdict() for entry in broken],
        "not_told": len(unjudged(review)),
        "review": review.as_dict(),
    }
    return json_text(found)
