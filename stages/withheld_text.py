"""Texts that were withheld at ingest: `[withheld: 1234 characters, HASH; BLOCKS]` instead of a prompt, an answer, an argument.

Each block is a hash of the text up to its end, so that texts that begin alike have the same blocks as far as they do.
"""

import re

BLOCK = 64  # bytes of text for each block
MOST_BLOCKS = 1024  # a beginning of 64 kB tells as much as a longer one
MARK = "[withheld: "
_FORM = re.compile(r"\[withheld: \d+ characters, [0-9a-f]{16}; ([0-9a-f ]*)\]")


def comparable(text: str) -> str:
    """A text that can be compared with others from its beginning on: itself, or a character for each of its blocks."""
    if MARK not in text:
        return text
    return "".join(
        chr(0x10000 + int(block, 16) % 0x100000) for blocks in _FORM.findall(text) for block in blocks.split()
    )
