"""Canonical OTLP/JSON becomes span batches, piece by piece."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.batch import SpanBatch
from ingest.columns import FULL, OTHERS, Columns
from ingest.json_kernel import scan
from ingest.report import FileReport
from ingest.span_columns import batch_of
from ingest.words import SLACK

BYTES_PER_ROW = 64  # of a piece: where it has more spans, attributes, … the columns grow
NAMES = 1 << 14


class JsonSpans:
    """Reads pieces of canonical OTLP/JSON, always into the same memory."""

    def __init__(self) -> None:
        self._data: npt.NDArray[np.uint8] = np.zeros(SLACK, np.uint8)
        self._rows, self._names = 1024, NAMES
        self._columns = Columns.for_text(0, self._rows, NAMES)

    def batch_of(self, piece: bytes, report: FileReport) -> SpanBatch | None:
        """The spans of a piece of JSON documents, or None where it is not canonical and must go the slow way."""
        size = len(piece)
        if size + SLACK > len(self._data):
            self._data = np.zeros(size + SLACK, np.uint8)
            self._rows = max(self._rows, size // BYTES_PER_ROW)
            self._columns = Columns.for_text(size, self._rows, self._names)
        self._data[:size] = np.frombuffer(piece, np.uint8)
        self._data[size : size + SLACK] = 0
        while (reached := scan(self._data, size, self._columns)) == FULL:
            self._rows, self._names = 4 * self._rows, 4 * self._names
            self._columns = Columns.for_text(len(self._data) - SLACK, self._rows, self._names)
        if reached < 0:
            return None
        attempt = FileReport(report.source)
        try:
            batch = batch_of(self._columns, attempt)
        except pa.ArrowInvalid:
            return None
        report.absorb(attempt)
        others = int(self._columns.counters[OTHERS])
        report.warn("other_signals", "records of metrics or logs among those of traces", others)
        return batch
