"""An answer as blocks of text, made once; terminal, Markdown and HTML each draw the same blocks.

The text of a block is always clean: names from the data are untrusted, and control characters are taken out here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal, TypeAlias

from overbudget.app.text.words import clean

# how a text is marked: a verdict ("over", "slower", …), "strong" or "soft"; None: not at all
Mark: TypeAlias = str | None
# names and prose are left-aligned and may wrap; numbers and caps are right-aligned; caps are soft, one a line
Kind: TypeAlias = Literal["name", "prose", "number", "caps"]


class _Clean:
    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, str):
                object.__setattr__(self, field.name, clean(value))
            elif isinstance(value, tuple) and all(isinstance(one, str) for one in value):
                object.__setattr__(self, field.name, tuple(map(clean, value)))


@dataclass(frozen=True)
class Headline(_Clean):
    """The first sentence of an answer."""

    text: str


@dataclass(frozen=True)
class Heading(_Clean):
    """The title of a part."""

    text: str


@dataclass(frozen=True)
class Sentence(_Clean):
    """A sentence on a line of its own; `mark` "soft" for what matters less."""

    text: str
    mark: Mark = None


@dataclass(frozen=True)
class Points(_Clean):
    """A list; each item has its sign ("+", "−") as its first character, or none."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Notes(_Clean):
    """What else a reader should know, at the very end."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Command(_Clean):
    """A command to be copied: never wrapped."""

    text: str


@dataclass(frozen=True)
class Snippet(_Clean):
    """Lines of a budget file to be copied: never wrapped."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Cell(_Clean):
    """One value, its mark (a verdict where a cap is given), and its 95 % interval where that is known."""

    text: str
    mark: Mark = None
    interval: str = ""


@dataclass(frozen=True)
class Column(_Clean):
    """A column's title, and what its values are."""

    title: str
    kind: Kind = "number"


@dataclass(frozen=True)
class Table(_Clean):
    """Rows of cells below a title.

    `more` says what is left out; a `folded` table stays closed where there is little room (a pull request), and
    `intervals` shows those of its cells also where only text is drawn.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    more: str = ""
    folded: bool = False
    intervals: bool = False


Block: TypeAlias = Headline | Heading | Sentence | Points | Notes | Command | Snippet | Table


def opening(sentences: Sequence[str]) -> list[Block]:
    """Sentences as blocks, the first as the headline."""
    return [Headline(sentences[0]), *map(Sentence, sentences[1:])] if sentences else []


def table(
    title: str,
    columns: Sequence[str | Column],
    rows: Sequence[Sequence[str | Cell]],
    more: str = "",
    intervals: bool = False,
) -> list[Block]:
    """A table from plain texts, its first column names and the others numbers unless `kinds` say otherwise; no table without rows."""
    if not rows:
        return []
    kinds = [
        column if isinstance(column, Column) else Column(column, "number" if place else "name")
        for place, column in enumerate(columns)
    ]
    cells = tuple(tuple(cell if isinstance(cell, Cell) else Cell(cell) for cell in row) for row in rows)
    return [Table(title, tuple(kinds), cells, more, intervals=intervals)]


def and_more(n: int) -> str:
    """`and 3 more`: how many rows a table leaves out; "" where none."""
    return f"and {n:,} more" if n > 0 else ""
