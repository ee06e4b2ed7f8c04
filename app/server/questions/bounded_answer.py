"""An answer to a query within limits: rows, columns, bytes and the length of a cell; what was left out is counted.

It travels as an Arrow table from the process that asks to the one that shows it.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from overbudget.app.text.plain import plain, plain_text
from overbudget.app.text.words import count
from overbudget.store.limits import as_written, limit

CELL_BYTES = 8  # of a number, or where a text begins
_META = b"left out"


@dataclass(frozen=True)
class Bounds:
    """How much of an answer is kept: rows, columns, bytes of all cells, characters of one."""

    rows: int
    columns: int
    bytes: int
    cell: int

    @classmethod
    def named(cls) -> "Bounds":
        """What the limits say."""
        return cls(*(limit(f"query_{name}") for name in ("rows", "columns", "bytes", "cell")))


@dataclass(frozen=True)
class LeftOut:
    """What an answer lacks: whether there are more rows, and whether because it became too large; how many columns; how many
    cells were cut."""

    rows: bool = False
    too_large: bool = False
    columns: int = 0
    cells: int = 0


def bounded(names: Sequence[str], rows: Iterable[Sequence[Any]], bounds: Bounds) -> pa.Table:
    """The first rows and columns of an answer, long cells cut. `rows` is read no further than is needed.

    Each column has numbers, booleans or text; maps and lists are text as JSON, times as ISO 8601. Names are made different.
    """
    kept = min(len(names), bounds.columns)
    cells: list[list[Any]] = [[] for _ in range(kept)]
    size = cut = 0
    more = too_large = False
    for number, row in enumerate(rows):
        more, too_large = number >= bounds.rows, size > bounds.bytes
        if more or too_large:
            break
        for column, value in zip(cells, row, strict=False):
            shown = _shown(value)
            if isinstance(shown, str):
                whole, shown = len(shown), _cut(shown, bounds.cell)
                cut += whole > bounds.cell
                size += len(shown.encode(errors="replace"))
            size += CELL_BYTES
            column.append(shown)
    left_out = LeftOut(more or too_large, too_large, len(names) - kept, cut)
    named = distinct([_cut(name, bounds.cell) for name in names[:kept]])
    table = pa.table([_column(column) for column in cells], names=named)
    return table.replace_schema_metadata({_META: json.dumps(asdict(left_out)).encode()})


def left_out(table: pa.Table) -> LeftOut:
    """What `bounded` left out of an answer."""
    return LeftOut(**json.loads((table.schema.metadata or {}).get(_META, b"{}")))


def said_of(table: pa.Table) -> list[str]:
    """How many rows an answer has, and in a sentence each what was left out of it."""
    lacks = left_out(table)
    if not lacks.rows:
        sentences = [f"{count(table.num_rows, 'row')}."]
    elif lacks.too_large:
        sentences = [
            f"The first {count(table.num_rows, 'row')} of more: the answer would be larger than "
            f"{as_written('query_bytes', limit('query_bytes'))} (the limit query_bytes)."
        ]
    else:
        sentences = [f"The first {count(table.num_rows, 'row')} of more (the limit query_rows)."]
    if lacks.columns:
        sentences.append(f"{count(lacks.columns, 'column')} more left out (the limit query_columns).")
    if lacks.cells:
        long = count(limit("query_cell"), "character")
        sentences.append(f"{count(lacks.cells, 'cell')} cut after {long} (the limit query_cell).")
    if lacks != LeftOut():
        sentences.append("overbudget sql --csv on the command line gives all.")
    return sentences


def distinct(names: Iterable[str]) -> list[str]:
    """Column names, numbered where a query gives one twice."""
    found: dict[str, None] = {}
    for name in names:
        number, other = 1, name
        while other in found:
            number += 1
            other = f"{name} ({number})"
        found[other] = None
    return list(found)


def _shown(value: Any) -> Any:
    """A number, boolean, text or None."""
    value = plain(value)
    return plain_text(value) if isinstance(value, dict | list) else value


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"


def _column(cells: list[Any]) -> pa.Array:
    """Cells as one type: text where they have none in common, such as integers beyond 64 bits."""
    try:
        column = pa.array(cells)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        column = pa.array([None if cell is None else plain_text(cell) for cell in cells], pa.string())
    return column.cast(pa.string()) if pa.types.is_null(column.type) else column
