"""Find documents in JSON text that is not JSON lines, and cut those that are too large to hold."""

import codecs
import itertools
import re
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from overbudget.ingest.report import FileReport
from overbudget.kernels.jit import READ_U8, kernel

PIECE = 16 << 20  # bytes; a document larger than this is cut
LARGEST = 256 << 20  # bytes; a larger document that cannot be cut is not read
_LEVELS = 12  # nesting levels whose positions are kept; spans stand at most seven deep
_NEWLINES = bytes.maketrans(b"\r\n", b"  ")
_CUTTABLE = (b"resourceSpans", b"resource_spans", b"batches", b"scopeSpans", b"scope_spans", b"spans",
             b"instrumentationLibrarySpans", b"instrumentation_library_spans")  # fmt: skip
_NEEDS_RESOURCE = _CUTTABLE[3:]


DEPTH, IN_STRING, ESCAPED, REACHED, GARBAGE, BROKEN_OFF = range(6)  # indices into the scan's state
_QUOTE, _BACKSLASH, _COMMA, _NEWLINE = (ord(c) for c in '"\\,\n')
_MARK = (0xEF, 0xBB, 0xBF)  # the bytes of a byte-order mark
_BRACE, _BRACE_END, _BRACKET, _BRACKET_END = (ord(c) for c in "{}[]")


@kernel
def _string_end(data, i, escaped):
    """From inside a string at `i`: (position of its end quote or of the newline that breaks it off, whether the byte
    before is a backslash that counts). The position is the text's size where neither has arrived yet."""
    while i < data.size:
        c = data[i]
        if escaped:
            escaped = False
        elif c == _BACKSLASH:
            escaped = True
        elif c in (_QUOTE, _NEWLINE):
            return i, False
        i += 1
    return i, escaped


@kernel
def _note_garbage(i, state):
    """Note that the byte at `i` is outside any document; the first position counts."""
    if state[GARBAGE] < 0:
        state[GARBAGE] = i


@kernel
def _between_documents(depth, kind):
    """Whether values on level `depth` are documents: only arrays are around them, at most two."""
    return depth == 0 or (depth <= 2 and kind[0] == _BRACKET and (depth == 1 or kind[1] == _BRACKET))


@kernel
def _close(c, i, depth, opened, kind, closed, document):
    """A closing bracket on level `depth`: whether it completes a document, whose start and end are then in `document`."""
    if 0 < depth <= closed.size:
        closed[depth - 1] = i + 1
    if c == _BRACE_END and _between_documents(depth, kind):
        document[0], document[1] = opened[depth], i + 1
        return True
    return False


@kernel(signature=f"int64({READ_U8}, int64[:], int64[:], int64[:], int64[:], int64[:, :])")
def _scan(data, state, opened, kind, closed, documents):
    """Advance from state[REACHED]; returns how many documents (start, end) were completed.

    state: nesting depth, whether in a string and after a backslash, position reached, where text outside any document starts
    (or -1), and where a document breaks off (or -1). Per nesting level: where the innermost container was opened, its kind
    (the byte), and where the last container directly in it was closed. Stops early when `documents` is full.
    """
    found, i, depth = 0, state[REACHED], state[DEPTH]
    in_string, escaped = state[IN_STRING] != 0, state[ESCAPED] != 0
    while i < data.size and found < documents.shape[0]:
        if in_string:
            i, escaped = _string_end(data, i, escaped)
            if i == data.size:
                break
            if data[i] == _NEWLINE:  # never inside a string: this document is broken off here
                if state[GARBAGE] < 0:
                    state[BROKEN_OFF] = i
                _note_garbage(opened[0] if depth > 0 else i, state)
                depth = 0
            in_string = False
            i += 1
            continue
        c = data[i]
        if c == _QUOTE:
            if _between_documents(depth, kind):
                _note_garbage(i, state)
            in_string = True
        elif c in (_BRACE, _BRACKET):
            if depth < opened.size:
                opened[depth], kind[depth], closed[depth] = i, c, -1
            depth += 1
        elif c in (_BRACE_END, _BRACKET_END):
            if depth == 0:
                _note_garbage(i, state)
            else:
                depth -= 1
                found += _close(c, i, depth, opened, kind, closed, documents[found])
        elif depth == 0 and c > 32 and c != _COMMA and c not in _MARK:
            _note_garbage(i, state)
        i += 1
    state[DEPTH], state[IN_STRING], state[ESCAPED], state[REACHED] = depth, in_string, escaped, i
    return found


class Scanner:
    """Documents of any framing, piece by piece."""

    def __init__(self, report: FileReport) -> None:
        self._report = report
        self._buffer = bytearray()
        self._documents = np.zeros((1 << 16, 2), np.int64)
        self._gave_up = False
        self._comma_is_due = False  # a cut was made before the comma after the last element had arrived
        self._restart()

    def _restart(self) -> None:
        self._state = np.array([0, 0, 0, 0, -1, -1], np.int64)
        self._opened, self._kind, self._closed = (np.full(_LEVELS, -1, np.int64) for _ in range(3))

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._gave_up:
            return
        if self._comma_is_due:
            data = data.lstrip(b" \r\n\t,")
            self._comma_is_due = not data
        self._buffer += data
        while True:
            text = np.frombuffer(self._buffer, np.uint8)
            count = _scan(text, self._state, self._opened, self._kind, self._closed, self._documents)
            del text  # or the buffer could not be resized
            if self._state[GARBAGE] >= 0:
                start, broken_off = int(self._state[GARBAGE]), int(self._state[BROKEN_OFF])
                self._report.warn(
                    "unreadable_record", bytes(self._buffer[start : start + 80]).decode("utf-8", "replace")
                )
                self._state[GARBAGE:] = -1
                if broken_off >= 0:
                    yield from whole_part(bytes(self._buffer[start:broken_off]))
            if count:
                yield self._lines(count)
                self._forget(int(self._documents[count - 1, 1]))
            elif len(self._buffer) > PIECE and (piece := self._cut()):
                yield piece
                continue
            elif len(self._buffer) > LARGEST:
                self._report.warn(
                    "unreadable_record", f"more than {LARGEST >> 20} MB that cannot be cut; what follows is left out"
                )
                self._gave_up, self._buffer = True, bytearray()
                return
            if self._state[REACHED] >= len(self._buffer):
                if len(self._buffer) > PIECE and self._state[DEPTH] == 0 and self._state[IN_STRING] == 0:
                    self._forget(len(self._buffer))  # text that is no document
                return

    def end(self) -> Iterator[bytes]:
        """The readable part of a document that never ends."""
        rest = bytes(self._buffer).strip()
        if not rest.strip(b"[], \r\n\t" + codecs.BOM_UTF8):
            return
        self._report.warn("cut_off", f"the last document ends early, after: …{rest[-60:].decode('utf-8', 'replace')}")
        whole = list(self.saved())  # unmatched brackets hide where it breaks: then a parser must find it
        yield from whole or [rest.translate(_NEWLINES) + b"\n"]

    def saved(self) -> Iterator[bytes]:
        """The complete elements of an incomplete document, as documents."""
        while piece := self._cut():
            yield piece
            yield from self.feed(b"")

    def _lines(self, count: int) -> bytes:
        spans = self._documents[:count].tolist()
        return b"\n".join(bytes(self._buffer[start:end]).translate(_NEWLINES) for start, end in spans) + b"\n"

    def _forget(self, upto: int) -> None:
        """Drop the text before `upto`; inside a top-level array its bracket is kept in mind as level 0."""
        del self._buffer[:upto]
        self._state[REACHED] -= upto
        for positions in (self._opened, self._closed):
            positions[positions >= 0] -= upto
        self._opened[self._opened < 0] = 0

    def _cut(self) -> bytes | None:
        """The elements completed so far of the outermost array that may be cut, closed properly; the rest is kept."""
        depth = min(int(self._state[DEPTH]), _LEVELS)
        buffer = self._buffer
        first = len(list(itertools.takewhile(lambda kind: kind == 91, self._kind[: min(depth, 2)].tolist())))
        for level in range(first + 1, depth):
            if self._kind[level] != 91 or self._closed[level] <= self._opened[level]:
                continue
            start = int(self._opened[level])
            key = re.search(rb'"(\w+)"\s*:\s*$', bytes(buffer[max(0, start - 80) : start]))
            if key is None or key[1] not in _CUTTABLE:
                continue
            outer = [int(position) for position in self._opened[first : level + 1]]
            head = b"".join(
                bytes(buffer[a:b]) if self._kind[first + i] == 123 else b"[" for i, (a, b) in enumerate(pairwise(outer))
            )
            if key[1] in _NEEDS_RESOURCE and b'"resource"' not in head and b'"scopeSpans"' in head:
                continue  # the resource comes after its spans: nothing to do but wait for it
            closing = b"".join(
                b"}" if kind == 123 else b"]" for kind in reversed(self._kind[first : level + 1].tolist())
            )
            until = int(self._closed[level])
            whole = (bytes(buffer[outer[0] : until]) + closing).translate(_NEWLINES) + b"\n"
            rest = bytes(buffer[until:]).lstrip(b" \r\n\t,")
            self._buffer = bytearray(b"[" * first + head + b"[" + rest)
            self._comma_is_due = not rest
            self._restart()
            return whole
        return None


def whole_part(text: bytes) -> Iterator[bytes]:
    """The readable part of a document that breaks off at the end of `text`: its complete elements, as documents."""
    scanner = Scanner(FileReport(""))  # the caller has reported it
    yield from scanner.feed(text)
    yield from scanner.saved()
