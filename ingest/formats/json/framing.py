"""Cut a stream of JSON text into pieces of whole documents, one a line, however the documents are framed.

JSON lines are cut at newlines. Everything else (pretty-printed, concatenated, arrays, one object of many gigabytes)
goes through a scanner (ingest.formats.json.scanner) that knows strings and nesting; a document larger than a piece is cut between the elements of
its resourceSpans, scopeSpans or spans, and what is above them (the resource, the scope) is repeated.
"""

import codecs
import itertools
from collections.abc import Iterator
from typing import BinaryIO

from overbudget.ingest.report import FileReport

PIECE = 16 << 20  # bytes
LONGEST_LINE = 64 << 20  # bytes; a longer one is cut as any other large document
_MARKED = b"\n" + codecs.BOM_UTF8
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


def pieces(stream: BinaryIO, report: FileReport) -> Iterator[list[bytes]]:
    """Pieces of JSON lines, each of whole documents, about PIECE bytes. White space and byte-order marks are gone.
    A piece comes as consecutive fragments, because joining them takes as long as reading them.

    Text that is not JSON is reported as `unreadable_record`, a last document without an end as `cut_off`; the readable part
    of it comes as a piece. UTF-16 is recognised by its byte-order mark.
    """
    source = _without_marks(_decoded(stream))
    head = next(source, b"")
    if _starts_with_a_line(head):
        yield from _lines(head, source, report)
        return
    yield from _scanned(head, source, report)


def _scanned(head: bytes, source: Iterator[bytes], report: FileReport) -> Iterator[list[bytes]]:
    from overbudget.ingest.formats.json.scanner import Scanner  # its kernel is not needed for JSON lines

    scanner = Scanner(report)
    while head:
        yield from ([piece] for piece in scanner.feed(head))
        head = next(source, b"")
    yield from ([piece] for piece in scanner.end())


def _decoded(stream: BinaryIO) -> Iterator[bytes]:
    """The stream as UTF-8 in chunks, byte-order mark removed."""
    chunk = stream.read(PIECE)
    encoding = _UTF16.get(chunk[:2])
    if encoding is not None:
        decoder = codecs.getincrementaldecoder(encoding)("replace")
        text = decoder.decode(chunk[2:])
        while chunk:
            yield text.encode("utf-8", "replace")
            chunk = stream.read(PIECE)
            text = decoder.decode(chunk, final=not chunk)
        return
    chunk = chunk.removeprefix(codecs.BOM_UTF8)
    while chunk:
        yield chunk[:1] if _is_filling(chunk) else chunk
        chunk = stream.read(PIECE)


def _without_marks(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Text without the byte-order marks at the beginnings of lines, which are those of files that were joined. No text of JSON
    has a line break in it; marks elsewhere may be content, and are left to what tells documents apart.
    """
    kept = b""
    for chunk in chunks:
        data = kept + chunk if kept else chunk
        begun = next((size for size in (3, 2, 1) if data.endswith(_MARKED[:size])), 0)
        data, kept = (data[:-begun], data[-begun:]) if begun else (data, b"")
        if data:
            yield data.replace(_MARKED, b"\n") if _MARKED in data else data
    if kept:
        yield kept


def _is_filling(chunk: bytes) -> bool:
    """Whether a chunk is one byte all over that no text of JSON holds: gigabytes of it say no more than one."""
    return chunk[:1] in (b"\0", b"\n") and chunk[-1:] == chunk[:1] and chunk == chunk[:1] * len(chunk)


def _starts_with_a_line(head: bytes) -> bool:
    """Whether the first line that is not blank is one whole document."""
    import orjson

    line = head.lstrip().split(b"\n", 1)
    if len(line) < 2 or not line[0].startswith(b"{"):
        return False
    try:
        return isinstance(orjson.loads(line[0]), dict)
    except orjson.JSONDecodeError:
        return False


def _last_begin(chunk: bytes) -> int:
    """Where the last document begins, if one does in the margin after another, else the last line; 0 where neither does."""
    between = chunk.rfind(b"}\n{")
    return between + 2 if between >= 0 else chunk.rfind(b"\n") + 1


def _lines(head: bytes, source: Iterator[bytes], report: FileReport) -> Iterator[list[bytes]]:
    kept: list[bytes] = []
    for chunk in itertools.chain([head], source):
        end = _last_begin(chunk)
        if end:
            yield [*kept, chunk[:end]]
            kept = [chunk[end:]]
            continue
        kept.append(chunk)
        if len(kept) > LONGEST_LINE // PIECE:
            yield from _scanned(b"".join(kept), source, report)
            return
    if any(fragment.strip() for fragment in kept):
        yield kept
