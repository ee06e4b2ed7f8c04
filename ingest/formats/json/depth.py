"""JSON text whose nesting no parser follows, without what is nested so deep."""

import numpy as np

DEEPEST = 200  # levels of a document that are followed: parsers give up at 1,024, and what writes JSON at 254
LEFT_OUT = f"a value nested more than {DEEPEST} levels deep; what is deeper is left out"  # for a warning
_KINDS = bytes(1 if byte in b"{[" else 2 if byte in b"}]" else 0 for byte in range(256))


def without_depths(text: bytes) -> tuple[bytes, int]:
    """The text with null for every object and list below DEEPEST others, and how many these are.

    It need not be sound: where such a value breaks off, the text ends with it.
    """
    if text.count(b"{") + text.count(b"[") <= DEEPEST:
        return text, 0
    unescaped = text.replace(rb"\\", b"__").replace(rb"\"", b"__") if b"\\" in text else text
    inside = np.frombuffer(unescaped, np.uint8) == ord('"')
    np.logical_xor.accumulate(inside, out=inside)  # from each quote on, until the next one
    kinds = np.frombuffer(text.translate(_KINDS), np.uint8)
    at = np.flatnonzero((kinds > 0) & ~inside)
    opens = kinds[at] == 1
    depth = np.cumsum(np.where(opens, 1, -1))
    starts = at[opens & (depth == DEEPEST + 1)]
    ends = at[~opens & (depth == DEEPEST)] + 1
    if not len(starts):
        return text, 0
    out, reached = [], 0
    for start, end in zip(starts.tolist(), [*ends.tolist(), len(text)], strict=False):
        out += [text[reached:start], b"null"]
        reached = end
    return b"".join([*out, text[reached:]]), len(starts)
