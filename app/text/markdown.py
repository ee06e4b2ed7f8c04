"""The review as a comment on a pull request: the answer and the table in sight, the rest folded away."""

from overbudget.analysis.review.result import Over, Review
from overbudget.app.text.check import check_sentences
from overbudget.app.text.headline import headline
from overbudget.app.text.notes import notes
from overbudget.app.text.review import facts_text, good_text
from overbudget.app.text.tables import (
    MADE_OF,
    TOTALS,
    Cell,
    Line,
    average_lines,
    breakdown_lines,
    culprit_lines,
    percentile_lines,
    route_lines,
)
from overbudget.app.text.words import count


def review_markdown(review: Review) -> str:
    """GitHub-flavoured Markdown. Names from the data stand in code spans, where nothing in them means anything."""
    first, second = headline(review)
    parts = [f"### {first}", second]
    if review.end_to_end and review.end_to_end[0].n:
        percentiles = [f"p{p}" for p in review.percentiles]
        parts.append(_table("", percentile_lines(review), percentiles))
        parts.append(_table("", average_lines(review), ["time", "share"]))
        made_of = _table("", breakdown_lines(review), percentiles)
        parts.append(_folded(MADE_OF, made_of))
        culprits = _table("", culprit_lines(review), ["stage", "overrun", "blame", "operation"])
        parts.append(_folded("Where the overrun comes from", culprits))
        routes = _table("route", route_lines(review), ["requests", *percentiles])
        parts.append(_folded(f"{count(len(review.routes) + review.other_routes, 'route')}", routes))
    good = good_text(review)
    parts.append("\n".join(f"- {note}" for note in [*([good] if good else []), *notes(review)]))
    parts.append(f"<sub>{facts_text(review)}</sub>")
    return "\n\n".join(part for part in parts if part) + "\n"


def check_markdown(review: Review, broken: list[Over]) -> str:
    """The outcome of a check, and below it the review."""
    said = "\n".join(f"- {sentence}" for sentence in check_sentences(review, broken))
    return f"{said}\n\n{review_markdown(review)}"


def _table(corner: str, lines: list[Line], columns: list[str]) -> str:
    if not lines:
        return ""
    capped = any(line.caps for line in lines)
    head = [corner, *(["cap"] if capped else []), *columns]
    rows = [head, ["---", *["---:"] * (len(head) - 1)]]
    for line in lines:
        label = f"**{line.label}**" if line.label in TOTALS else line.label
        caps = [line.caps.replace(", ", "<br>")] if capped else []
        rows.append([label, *caps, *(_cell(cell) for cell in line.cells)])
    return "\n".join("| " + " | ".join(_escaped(cell) for cell in row) + " |" for row in rows)


def _cell(cell: Cell) -> str:
    text = " ".join(cell.text.split())
    return f"**{text}**" if cell.verdict == "over" else text


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def _folded(title: str, content: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{content}\n\n</details>" if content else ""
