"""Span records as Python objects, turned into the columns that the kernel fills: all later steps are shared."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from overbudget.ingest.formats import buffers as c
from overbudget.ingest.formats.buffers import Columns

Record = dict[str, Any]


def columns_of(resource_spans: Iterable[Record]) -> Columns:
    """The columns of resource spans in the form that `dialects.records` gives them."""
    rows = _Rows()
    for one in resource_spans:
        rows.add_resource_spans(one)
    return rows.columns()


class _Rows:
    """Columns as growing lists."""

    def __init__(self) -> None:
        self._text: list[list[str]] = [[] for _ in range(c.TEXTS)]
        self._codes: list[list[int]] = [[] for _ in range(c.CODES)]
        self._numbers: list[list[int]] = [[] for _ in range(c.NUMBERS)]
        self._rows = [0] * 5
        self._keys: dict[str, int] = {}
        self._names: dict[str, int] = {}
        for owner in range(5):
            self._codes[c.LISTS + owner].append(0)

    def add_resource_spans(self, one: Record) -> None:
        for scope in one["scopeSpans"]:
            self._scope_spans(scope)
        self._text[c.RESOURCE_URL].append(one["schemaUrl"])
        self._close(c.RESOURCE, one["attributes"])

    def _scope_spans(self, one: Record) -> None:
        for span in one["spans"]:
            self._span(span)
        self._codes[c.RESOURCE_OF_SCOPE].append(self._rows[c.RESOURCE])
        self._texts(c.SCOPE_NAME, one["name"], one["version"], one["schemaUrl"])
        self._close(c.SCOPE, one["attributes"])

    def _span(self, span: Record) -> None:
        here = self._rows[c.SPAN]
        for event in span["events"]:
            self._codes[c.SPAN_OF_EVENT].append(here)
            self._text[c.EVENT_NAME].append(event["name"])
            self._counts(c.EVENT_NS, event["time"], event["dropped"])
            self._close(c.EVENT, event["attributes"])
        for link in span["links"]:
            self._codes[c.SPAN_OF_LINK].append(here)
            self._texts(c.LINK_TRACE, link["traceId"], link["spanId"], link["traceState"])
            self._counts(c.LINK_FLAGS, link["flags"], link["dropped"])
            self._close(c.LINK, link["attributes"])
        self._codes[c.SCOPE_OF_SPAN].append(self._rows[c.SCOPE])
        self._codes[c.NAME].append(self._names.setdefault(span["name"], len(self._names)))
        self._texts(
            c.TRACE_ID, span["traceId"], span["spanId"], span["parentSpanId"], span["traceState"], span["message"]
        )
        self._counts(
            c.START_NS, span["start"], span["end"], span["flags"], span["kind"], span["code"], *span["dropped"]
        )
        self._close(c.SPAN, span["attributes"])

    def _texts(self, first: int, *values: str) -> None:
        for column, value in enumerate(values, first):
            self._text[column].append(value)

    def _counts(self, first: int, *values: int) -> None:
        for column, value in enumerate(values, first):
            self._numbers[column].append(value)

    def _close(self, owner: int, attributes: list[tuple[str, int, str]]) -> None:
        """End a row of an owner with its attributes: key, kind and text of each."""
        keys, codes, kinds = self._keys, self._codes[c.ENTRY_KEYS + owner], self._codes[c.ENTRY_KINDS + owner]
        values = self._text[c.VALUES + owner]
        for key, kind, text in attributes:
            codes.append(keys.setdefault(key, len(keys)))
            kinds.append(kind)
            values.append(text)
        self._rows[owner] += 1
        self._codes[c.LISTS + owner].append(len(codes))

    def columns(self) -> Columns:
        self._text[c.DICTIONARIES + c.KEYS] = list(self._keys)
        self._text[c.DICTIONARIES + c.NAMES] = list(self._names)
        data = [_encoded(column) for column in self._text]
        rows = max(max(map(len, columns)) for columns in (self._text, self._codes, self._numbers))
        out = Columns.for_text(max(len(letters) for letters, _ in data), rows + 1, 1)
        out.counters[:] = 0
        stride = len(out.text) // c.TEXTS
        for column, (letters, ends) in enumerate(data):
            out.text[column * stride : column * stride + len(letters)] = np.frombuffer(letters, np.uint8)
            out.codes[column, 1 : len(ends) + 1] = ends
            out.counters[column] = len(letters)
        for column in range(c.TEXTS, c.CODES):
            out.codes[column, : len(self._codes[column])] = self._codes[column]
        for column, numbers in enumerate(self._numbers):
            out.numbers[column, : len(numbers)] = numbers
        out.counters[c.ROWS : c.ROWS + 5] = self._rows
        out.counters[c.ENTRIES : c.ENTRIES + 5] = [len(self._codes[c.ENTRY_KEYS + owner]) for owner in range(5)]
        out.counters[c.SIZES : c.SIZES + 2] = len(self._keys), len(self._names)
        return out


def _encoded(column: list[str]) -> tuple[bytes, npt.NDArray[np.int64]]:
    """The text of a column as UTF-8, and where each row of it ends."""
    letters = "".join(column).encode()
    lengths = [len(value) for value in column] if letters.isascii() else [len(value.encode()) for value in column]
    return letters, np.cumsum(lengths, dtype=np.int64)
