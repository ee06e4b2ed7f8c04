"""One dump, from its first bytes to span batches."""

from collections.abc import Iterator
from typing import BinaryIO

from ingest import otlp_json
from ingest.batch import SpanBatch
from ingest.report import FileReport


def read_dump(stream: BinaryIO, report: FileReport) -> Iterator[SpanBatch]:
    yield from otlp_json.read(stream, report)
