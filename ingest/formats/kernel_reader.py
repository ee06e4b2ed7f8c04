"""Runs a reader's kernel over piece after piece of a dump, always in the same memory."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from overbudget.ingest.batch import SpanBatch
from overbudget.ingest.formats.buffers import FULL, OTHERS, Columns
from overbudget.ingest.formats.to_batch import batch_of
from overbudget.ingest.report import FileReport
from overbudget.kernels.words import SLACK

BYTES_PER_ROW = 64  # expected of a piece: where it has more spans or attributes per byte, the columns grow
NAMES = 1 << 14
LEAST_ROWS, LEAST_BYTES = (
    1 << 16,
    16,
)  # more rows than one for so many bytes are no traces: the columns would fill the memory

OTHER_SIGNALS = ("other_signals", "records of metrics or logs among those of traces")  # code and example of the warning

Scan = Callable[[npt.NDArray[np.uint8], npt.NDArray[np.int64], Columns], int]


class KernelReader:
    """Pieces in, span batches out, by the kernel `scan(data, ends, columns)`.

    The kernel reads documents in data[:ends[0]], data[ends[0]:ends[1]], … and returns FULL where the columns have too few
    rows, another negative number where it does not understand the piece. It writes at most `text_per_byte` bytes of text to
    any column for each byte it reads.
    """

    def __init__(self, scan: Scan, text_per_byte: int = 1) -> None:
        self._scan, self._text_per_byte = scan, text_per_byte
        self._data: npt.NDArray[np.uint8] = np.zeros(SLACK, np.uint8)
        self._rows, self._names = 1024, NAMES
        self._columns = self._new_columns()

    def _new_columns(self) -> Columns:
        return Columns.for_text(self._text_per_byte * len(self._data), self._rows, self._names)

    def batch_of(self, parts: Sequence[bytes], report: FileReport, documents: bool = False) -> SpanBatch | None:
        """The spans of a piece in one or several parts, or None where the kernel does not understand it.

        The parts are `documents`, or follow on one another.
        """
        ends = np.cumsum([len(part) for part in parts], dtype=np.int64)
        size = int(ends[-1])
        if size + SLACK > len(self._data):
            self._data = np.zeros(size + SLACK, np.uint8)
            self._rows = max(self._rows, size // BYTES_PER_ROW)
            self._columns = self._new_columns()
        for part, end in zip(parts, ends.tolist(), strict=True):
            self._data[end - len(part) : end] = np.frombuffer(part, np.uint8)
        self._data[size : size + SLACK] = 0
        if not documents:
            ends = ends[-1:]
        while (reached := self._scan(self._data, ends, self._columns)) == FULL:
            if 4 * self._rows > max(LEAST_ROWS, size // LEAST_BYTES):
                return None
            self._rows, self._names = 4 * self._rows, 4 * self._names
            self._columns = self._new_columns()
        if reached < 0:
            return None
        try:
            return batch_of_columns(self._columns, report)
        except pa.ArrowInvalid:
            return None


def batch_of_columns(columns: Columns, report: FileReport) -> SpanBatch:
    """The spans in filled columns.

    Errors: pa.ArrowInvalid where a value does not match its kind; then nothing is reported.
    """
    attempt = FileReport(report.source)
    batch = batch_of(columns, attempt)
    report.absorb(attempt)
    others = int(columns.counters[OTHERS])
    report.warn(*OTHER_SIGNALS, others)
    return batch
