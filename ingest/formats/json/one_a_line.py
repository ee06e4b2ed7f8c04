"""A piece of JSON lines in which some documents are written over several lines, or several on one: each on a line of its own.

The kernel passes over line breaks between values; the general reader takes a line at a time.
"""

import codecs
import re

from overbudget.ingest.formats.json.scanner import Scanner
from overbudget.ingest.report import FileReport

_JOINED = b"}" + codecs.BOM_UTF8 + b"{"  # of files without a line break at their ends
_UNFINISHED = re.compile(rb"^[ \t]*\{(?:[^\n]*[^}\s])?[ \t\r]*\n", re.MULTILINE)
# From a brace in the margin to the next closing one in the margin, as every program indents.
_INDENTED = re.compile(rb"^\{(?:[^\n]*[^}\s])?[ \t\r]*\n(?:(?![{}])[^\n]*\n)*\}", re.MULTILINE)


def one_a_line(piece: bytes) -> bytes:
    """The piece itself where every line that begins with a brace ends with one, and no byte-order mark stands between two.

    Brackets tell documents apart where all of them close; else only those that are indented are joined, because a document
    that is broken off would take the next ones with it.
    """
    if _UNFINISHED.search(piece) is None and _JOINED not in piece:
        return piece
    told = FileReport("")
    scanner = Scanner(told)
    documents = [*scanner.feed(piece), *scanner.end()]
    if not told.warnings:
        return b"\n".join(documents)
    return _INDENTED.sub(lambda found: found.group().replace(b"\n", b" "), piece)
