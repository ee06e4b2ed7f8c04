"""Blocks on a terminal: with colours and to its width; plain text where the output is a pipe or a file."""

import io
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from overbudget.app.text.blocks import (
    Block,
    Cell,
    Column,
    Command,
    Heading,
    Headline,
    Notes,
    Points,
    Sentence,
    Snippet,
    Table,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

STYLES = {
    "over": "bold white on red",
    "at_risk": "black on yellow",
    "unknown": "dim",
    "slower": "bold white on red",
    "faster": "green",
    "soft": "dim",
    "strong": "bold",
}
PLAIN_WIDTH = 120  # of tables where there is no terminal
NARROWEST = {"name": 16, "prose": 28}  # wrapped text is still readable at this many characters
GAP = 3  # between two columns


def show(blocks: Sequence[Block], file: TextIO | None = None) -> None:
    """Write blocks to `file` (standard output)."""
    file = file or sys.stdout
    if not file.isatty() and not any(isinstance(block, Table) for block in blocks):
        for text in (line for block in blocks for line in _lines(block)):
            print(text, file=file)  # sentences need no layout: `check` in CI starts without it
        return
    from rich.console import Console

    width = None if file.isatty() else PLAIN_WIDTH
    _draw(blocks, Console(file=file, width=width, highlight=False, markup=False, emoji=False), wrap=file.isatty())


def text(blocks: Sequence[Block], width: int = PLAIN_WIDTH) -> str:
    """Blocks as plain text of at most `width` columns."""
    from rich.console import Console

    file = io.StringIO()
    console = Console(file=file, width=width, highlight=False, markup=False, emoji=False, color_system=None)
    _draw(blocks, console, wrap=True)
    return "".join(line.rstrip() + "\n" for line in file.getvalue().splitlines())


def _lines(block: Block) -> list[str]:
    """The lines of a block that is not a table."""
    if isinstance(block, Points):
        return [f"  {item}" for item in block.items]
    if isinstance(block, Notes):
        return list(block.items)
    if isinstance(block, Snippet):
        return [f"    {line}" for line in block.lines]
    return [] if isinstance(block, Table) else [block.text]


def _draw(blocks: Sequence[Block], console: "Console", wrap: bool) -> None:
    from rich.text import Text

    for place, block in enumerate(blocks):
        if place and isinstance(block, Heading | Table | Notes):
            console.print()
        if isinstance(block, Table):
            _table(console, block)
            continue
        for line in _lines(block):
            console.print(Text(line, style=_style(block)), soft_wrap=not wrap or isinstance(block, Command | Snippet))


def _style(block: Block) -> str:
    if isinstance(block, Headline | Heading):
        return "bold"
    if isinstance(block, Notes | Command):
        return "dim"
    return STYLES.get(block.mark or "", "") if isinstance(block, Sentence) else ""


def _table(console: "Console", block: Table) -> None:
    from rich import table as rich
    from rich.box import SIMPLE_HEAD
    from rich.text import Text

    if block.title:
        console.print(Text(block.title, style="dim"))
    for number, places in enumerate(_parts(block, console.width)):
        if number:
            console.print()
        drawn = rich.Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for place in places:
            column = block.columns[place]
            left = column.kind in NARROWEST
            drawn.add_column(
                Text(column.title),
                justify="left" if left else "right",
                style="dim" if column.kind == "caps" else "",
                min_width=min(NARROWEST[column.kind], _width(block, place)) if left else None,
                no_wrap=not left,
            )
        for row in block.rows:
            drawn.add_row(*(_cell(row[place], block.columns[place], block.intervals) for place in places))
        console.print(drawn)
    if block.more:
        console.print(Text(block.more, style="dim"))


def _parts(block: Table, width: int) -> list[list[int]]:
    """The columns that fit side by side; where not all do the others follow below, the first column again before them."""
    least = [min(NARROWEST.get(column.kind, width), _width(block, place)) for place, column in enumerate(block.columns)]
    parts, used = [[0]], least[0]
    for place in range(1, len(block.columns)):
        if used + GAP + least[place] > width and len(parts[-1]) > 1:
            parts.append([0])
            used = least[0]
        parts[-1].append(place)
        used += GAP + least[place]
    return parts


def _width(block: Table, place: int) -> int:
    """The longest line of a column."""
    column = block.columns[place]
    cells = [_plain(row[place], column, block.intervals) for row in block.rows]
    return max(len(line) for line in [column.title, *(line for cell in cells for line in cell.split("\n"))])


def _plain(cell: Cell, column: Column, interval: bool) -> str:
    text = cell.text.replace(", ", "\n") if column.kind == "caps" else cell.text
    return f"{text}\n{cell.interval}" if interval and cell.interval else text


def _cell(cell: Cell, column: Column, interval: bool) -> "Text":
    from rich.text import Text

    first, *below = _plain(cell, column, interval).split("\n")
    rest = "".join(f"\n{line}" for line in below)
    return Text.assemble((first, STYLES.get(cell.mark or "", "")), (rest, "dim" if interval else ""))
