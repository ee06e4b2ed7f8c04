"""A what-if for a terminal."""

import sys
from typing import TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.whatif.whatif import WhatIf
from overbudget.app.text.review import PLAIN_WIDTH
from overbudget.app.text.words import count

USUAL = 95


def print_what_if(found: WhatIf, file: TextIO | None = None) -> None:
    """Write a what-if to `file` (standard output)."""
    file = file or sys.stdout
    console = Console(
        file=file, width=None if file.isatty() else PLAIN_WIDTH, highlight=False, markup=False, emoji=False
    )
    for number, sentence in enumerate(sentences(found)):
        console.print(Text(sentence, style="" if number else "bold"))
    if not found.requests:
        return
    console.print()
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("")
    for column in ("before", "after", "change"):
        table.add_column(column, justify="right")
    for (percentile, before), (_, after) in zip(found.before, found.after, strict=True):
        if before is not None and after is not None:
            sign = "+" if after > before else "−" if after < before else ""
            change = f"{sign}{format_duration(abs(after - before))}"
            table.add_row(f"p{percentile}", format_duration(before), format_duration(after), change)
    if found.within is not None:
        before_share, after_share = (f"{share:.1%}" for share in found.within)
        points = 100 * (found.within[1] - found.within[0])
        table.add_row("within budget", before_share, after_share, f"{points:+.1f} points".replace("-", "−"))
    console.print(table)


def sentences(found: WhatIf) -> list[str]:
    """What is changed, and what becomes of p95."""
    if not found.requests:
        return ["There are no complete requests to replay."]
    what = "; ".join(found.changes) or "nothing is changed"
    before, after = (dict(side).get(USUAL) for side in (found.before, found.after))
    moved = f"p{USUAL} stays {format_duration(before or 0)}"
    if before != after:
        moved = f"p{USUAL} goes from {format_duration(before or 0)} to {format_duration(after or 0)}"
    return [
        f"If {what}: {moved}.",
        f"{found.requests_changed:,} of {count(found.requests, 'request')} take another time.",
    ]
