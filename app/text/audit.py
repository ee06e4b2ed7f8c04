"""Trace health for a terminal."""

import sys
from typing import TextIO

from rich.console import Console
from rich.text import Text

from overbudget.analysis.health.audit import Audit
from overbudget.app.text.review import PLAIN_WIDTH
from overbudget.app.text.words import count


def print_audit(found: Audit, stitched: int | None = None, file: TextIO | None = None) -> None:
    """Write an audit to `file` (standard output); `stitched` requests were joined with others before."""
    file = file or sys.stdout
    console = Console(
        file=file, width=None if file.isatty() else PLAIN_WIDTH, highlight=False, markup=False, emoji=False
    )
    if stitched is not None:
        console.print(Text(stitched_text(stitched)))
    console.print(Text(headline(found), style="bold"))
    for problem in found.problems:
        console.print()
        console.print(Text(f"{problem.code}: {problem.count:,}", style="bold"))
        console.print(Text(problem.means))
        console.print(Text(f"What to do: {problem.remedy}"))
        services = f" Services: {', '.join(problem.services)}." if problem.services else ""
        console.print(Text(f"Example: {problem.example}.{services}", style="dim"))


def stitched_text(stitched: int) -> str:
    """How many requests were joined."""
    if not stitched:
        return "No trace was found that could be joined with another one by its request id."
    return f"{count(stitched, 'request')} became part of the trace of the request that called {'it' if stitched == 1 else 'them'}."


def headline(found: Audit) -> str:
    """How much can be trusted."""
    complete = (
        f"{found.complete:,} of {count(found.requests, 'request')} {'is' if found.requests == 1 else 'are'} complete"
    )
    if not found.problems:
        return f"{complete}, and nothing is wrong with the traces."
    return f"{complete}; {count(len(found.problems), 'kind')} of problem."
