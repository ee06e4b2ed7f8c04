"""What is kept of a text that is not: its length, a hash, and hashes of its beginnings, so that texts can still be told alike.

The hashes are keyed with random bytes that are thrown away with the ingest: nobody can try texts until one fits, and texts of
two ingests cannot be compared. The form is read again by stages/withheld_text.py.
"""

import hashlib
from collections.abc import Callable

from overbudget.stages.withheld_text import BLOCK, MOST_BLOCKS


def withholder(key: bytes) -> Callable[[str], str]:
    """A function from a text to what is kept of it; equal texts, and equal beginnings, become equal under one `key`."""

    def withheld(text: str) -> str:
        data = text.encode("utf-8", "replace")
        running = hashlib.blake2b(key=key, digest_size=8)
        blocks = []
        for start in range(0, min(len(data), MOST_BLOCKS * BLOCK), BLOCK):
            running.update(data[start : start + BLOCK])
            blocks.append(running.hexdigest()[:6])
        whole = hashlib.blake2b(data, key=key, digest_size=8).hexdigest()
        return f"[withheld: {len(text)} characters, {whole}; {' '.join(blocks)}]"

    return withheld


def blotter(key: bytes) -> Callable[[str], str]:
    """A function from what a pattern matched to what stands in its place: different for different texts."""

    def blotted(text: str) -> str:
        return f"[redacted {hashlib.blake2b(text.encode('utf-8', 'replace'), key=key, digest_size=4).hexdigest()}]"

    return blotted


def namer(key: bytes) -> Callable[[str], str]:
    """A function from a name that is a sentence to one that tells it from others. The hash is letters: digits in names count
    as ids, which are masked."""
    letters = str.maketrans("0123456789abcdef", "bcdfghjklmnpqrst")

    def named(text: str) -> str:
        found = hashlib.blake2b(text.encode("utf-8", "replace"), key=key, digest_size=6).hexdigest()
        return f"[withheld name {found.translate(letters)}]"

    return named
