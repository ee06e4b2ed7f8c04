"""Blocks as GitHub-flavoured Markdown, for a comment on a pull request."""

from collections.abc import Sequence

from overbudget.app.text.blocks import Block, Cell, Column, Command, Heading, Headline, Notes, Points, Snippet, Table

BOLD = ("over", "slower", "strong")


def markdown(blocks: Sequence[Block]) -> str:
    """Names from the data stand in code spans, where nothing in them means anything."""
    return "\n\n".join(map(_block, blocks)) + "\n"


def _block(block: Block) -> str:
    if isinstance(block, Headline):
        return f"### {block.text}"
    if isinstance(block, Heading):
        return f"#### {block.text}"
    if isinstance(block, Points | Notes):
        return "\n".join(f"- {item}" for item in block.items)
    if isinstance(block, Command):
        return f"```sh\n{block.text}\n```"
    if isinstance(block, Snippet):
        return "\n".join(["```toml", *block.lines, "```"])
    if isinstance(block, Table):
        return _table(block)
    return f"<sub>{block.text}</sub>" if block.mark == "soft" else block.text


def _table(block: Table) -> str:
    head = [column.title for column in block.columns]
    rule = ["---" if column.kind in ("name", "prose") else "---:" for column in block.columns]
    rows = [[_cell(*pair, block.intervals) for pair in zip(row, block.columns, strict=True)] for row in block.rows]
    lines = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in (head, rule, *rows))
    lines += f"\n\n{block.more}" if block.more else ""
    if block.folded:
        return f"<details><summary>{block.title}</summary>\n\n{lines}\n\n</details>"
    return f"{block.title}:\n\n{lines}" if block.title else lines


def _cell(cell: Cell, column: Column, interval: bool) -> str:
    text = " ".join(cell.text.split())
    if column.kind == "caps":
        text = text.replace(", ", "<br>")
    if cell.mark in BOLD:
        text = f"**{text}**"
    return f"{text}<br>{cell.interval}" if interval and cell.interval else text
