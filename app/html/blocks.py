"""Blocks as HTML for the report: every text escaped, names in backquotes as code."""

from collections.abc import Sequence
from html import escape

from overbudget.analysis.budget.caps import MAIN_PERCENTILE
from overbudget.app.html.prose import prose
from overbudget.app.text.blocks import Block, Cell, Column, Command, Heading, Headline, Notes, Points, Snippet, Table


def html(blocks: Sequence[Block]) -> str:
    """One block after the other; the first sentence of a part is strong."""
    return "".join(map(_block, blocks))


def _block(block: Block) -> str:
    if isinstance(block, Headline):
        return f"<p><strong>{prose(block.text)}</strong></p>"
    if isinstance(block, Heading):
        return f"<h3>{prose(block.text)}</h3>"
    if isinstance(block, Points):
        return f'<ul class="points">{"".join(f"<li>{prose(item)}</li>" for item in block.items)}</ul>'
    if isinstance(block, Notes):
        return "".join(f'<p class="soft">{prose(item)}</p>' for item in block.items)
    if isinstance(block, Command):
        return f"<pre>{escape(block.text)}</pre>"
    if isinstance(block, Snippet):
        return f"<pre>{escape(chr(10).join(block.lines))}</pre>"
    if isinstance(block, Table):
        return _table(block)
    return f'<p class="soft">{prose(block.text)}</p>' if block.mark == "soft" else f"<p>{prose(block.text)}</p>"


def _table(block: Table) -> str:
    usual = f"p{MAIN_PERCENTILE}"
    head = "".join(f"<th{_class(_place(column))}>{escape(column.title)}</th>" for column in block.columns)
    body = ""
    for row in block.rows:
        cells = "".join(_cell(*pair) for pair in zip(row, block.columns, strict=True))
        body += f"<tr{_class('total' if row[0].mark == 'strong' else '')}>{cells}</tr>"
    kind = _class("percentiles" if usual in [column.title for column in block.columns] else "")
    more = f'<p class="soft">{escape(block.more)}</p>' if block.more else ""
    return (
        f'<div class="scroll" tabindex="0"><table{kind}><caption><span>{escape(block.title)}</span></caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}</div>"
    )


def _cell(cell: Cell, column: Column) -> str:
    mark = "" if cell.mark == "strong" else cell.mark or ""
    interval = f"<small>{escape(cell.interval)}</small>" if cell.interval else ""
    return f"<td{_class(f'{_place(column)} {mark}'.strip())}>{prose(cell.text)}{interval}</td>"


def _place(column: Column) -> str:
    """The CSS class of a column: left-aligned, soft, or the one that a narrow window shows first."""
    if column.title == f"p{MAIN_PERCENTILE}":
        return "first"
    return {"caps": "soft", "name": "left", "prose": "left"}.get(column.kind, "")


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""
