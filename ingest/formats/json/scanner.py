"""Find documents in JSON text that is not JSON lines, and cut those that are too large to hold."""

import re
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from overbudget.ingest.report import FileReport
from overbudget.kernels.jit import READ_U8, kernel

PIECE = 16 << 20  # bytes; a document larger than this is cut
LARGEST = 256 << 20  # bytes; what cannot be cut and is larger than this is not read
_LEVELS = 12  # nesting levels whose positions are kept; spans stand at most seven deep
_NEWLINES = bytes.maketrans(b"\r\n", b"  ")
_CUTTABLE = (b"resourceSpans", b"resource_spans", b"batches", b"scopeSpans", b"scope_spans", b"spans",
             b"instrumentationLibrarySpans", b"instrumentation_library_spans")  # fmt: skip
_NEEDS_RESOURCE = _CUTTABLE[3:]


@kernel(signature=f"int64({READ_U8}, int64, int64[:], int64[:], int64[:], int64[:], int64[:, :])")
def _scan(data, base, state, opened, kind, closed, documents):
    """Advance over data[base:]; returns how many documents (start, end) were completed.

    state: [depth, in string, escaped, position reached, start of garbage or -1, where a document is broken off or -1]. Per nesting level: where the
    innermost container was opened, its kind (the byte), and where the last container directly in it was closed.
    Stops early when `documents` is full.
    """
    depth, in_string, escaped = state[0], state[1] != 0, state[2] != 0
    found = 0
    i = base
    while i < data.size and found < documents.shape[0]:
        c = data[i]
        if in_string:
            if escaped:
                escaped = False
            elif c == 92:
                escaped = True
            elif c == 34:
                in_string = False
            elif c == 10:  # never inside a string: this document is broken off here
                if state[4] < 0:
                    state[4] = opened[0] if depth > 0 else i
                    state[5] = i
                depth, in_string = 0, False
        elif c == 34:
            if (depth == 0 or (depth == 1 and kind[0] == 91)) and state[4] < 0:
                state[4] = i
            in_string = True
        elif c == 123 or c == 91:
            if depth < opened.size:
                opened[depth], kind[depth], closed[depth] = i, c, -1
            depth += 1
        elif c == 125 or c == 93:
            if depth == 0:
                if state[4] < 0:
                    state[4] = i
            else:
                depth -= 1
                if depth > 0 and depth <= closed.size:
                    closed[depth - 1] = i + 1
                if c == 125 and (depth == 0 or (depth == 1 and kind[0] == 91)):
                    documents[found, 0], documents[found, 1] = opened[depth], i + 1
                    found += 1
        elif depth == 0 and c > 32 and c != 44 and state[4] < 0:
            state[4] = i
        i += 1
    state[0], state[1], state[2], state[3] = depth, in_string, escaped, i
    return found


class Scanner:
    """Documents of any framing, piece by piece."""

    def __init__(self, report: FileReport) -> None:
        self._report = report
        self._buffer = bytearray()
        self._documents = np.zeros((1 << 16, 2), np.int64)
        self._gave_up = False
        self._restart()

    def _restart(self) -> None:
        self._state = np.array([0, 0, 0, 0, -1, -1], np.int64)
        self._opened, self._kind, self._closed = (np.full(_LEVELS, -1, np.int64) for _ in range(3))

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._gave_up:
            return
        self._buffer += data
        while True:
            text = np.frombuffer(self._buffer, np.uint8)
            count = _scan(
                text, int(self._state[3]), self._state, self._opened, self._kind, self._closed, self._documents
            )
            del text  # or the buffer could not be resized
            if self._state[4] >= 0:
                start, broken_off = int(self._state[4]), int(self._state[5])
                self._report.warn(
                    "unreadable_record", bytes(self._buffer[start : start + 80]).decode("utf-8", "replace")
                )
                self._state[4:] = -1
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
            if self._state[3] >= len(self._buffer):
                if len(self._buffer) > PIECE and self._state[0] == 0 and self._state[1] == 0:
                    self._forget(len(self._buffer))  # text that is no document
                return

    def end(self) -> Iterator[bytes]:
        """What can be saved of a document that never ends."""
        rest = bytes(self._buffer).strip()
        if rest in (b"", b"]") or (self._state[0] == 1 and self._kind[0] == 91 and rest in (b"[", b",")):
            return
        self._report.warn("cut_off", f"the last document ends early, after: …{rest[-60:].decode('utf-8', 'replace')}")
        whole = list(self.saved())  # brackets that do not match hide where it breaks: then a parser must tell
        yield from whole or [rest.translate(_NEWLINES) + b"\n"]

    def saved(self) -> Iterator[bytes]:
        """The elements that are whole of a document that is not, as documents."""
        while piece := self._cut():
            yield piece
            yield from self.feed(b"")

    def _lines(self, count: int) -> bytes:
        spans = self._documents[:count].tolist()
        return b"\n".join(bytes(self._buffer[start:end]).translate(_NEWLINES) for start, end in spans) + b"\n"

    def _forget(self, upto: int) -> None:
        """Drop the text before `upto`; inside a top-level array its bracket is kept in mind as level 0."""
        del self._buffer[:upto]
        self._state[3] -= upto
        for positions in (self._opened, self._closed):
            positions[positions >= 0] -= upto
        self._opened[self._opened < 0] = 0

    def _cut(self) -> bytes | None:
        """The elements completed so far of the outermost array that may be cut, closed properly; the rest is kept."""
        depth = min(int(self._state[0]), _LEVELS)
        buffer = self._buffer
        first = 1 if depth and self._kind[0] == 91 else 0
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
            bracket = b"[" if first else b""
            self._buffer = bytearray(bracket + head + b"[" + rest)
            self._restart()
            return whole
        return None


def whole_part(text: bytes) -> Iterator[bytes]:
    """What can be saved of a document that is broken at the end of `text`: its whole elements, as documents."""
    scanner = Scanner(FileReport(""))  # whoever asks has reported it
    yield from scanner.feed(text)
    yield from scanner.saved()
