"""OTLP as JSON, in every framing and dialect: a stream of bytes in, span batches out.

Canonical OTLP/JSON goes through a kernel (formats/json/kernel.py). A piece that holds anything the kernel does not
understand (another dialect, nested values, a broken line) goes through the general reader (formats/json/dialects.py), which
gives the same result for canonical JSON and takes about six times as long. Where the kernel was never compiled on this machine,
small dumps go through the general reader too: compiling takes as long as reading a hundred megabytes.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import BinaryIO

from overbudget.ingest.batch import SpanBatch
from overbudget.ingest.files.prefetch import prefetch
from overbudget.ingest.formats.catalogue import OTLP, Format
from overbudget.ingest.formats.json.evaluations import evaluations_of
from overbudget.ingest.formats.json.framing import pieces
from overbudget.ingest.formats.translate import translated, wrapped
from overbudget.ingest.report import FileReport
from overbudget.store.errors import OverbudgetError

WORTH_COMPILING = 10 << 20  # bytes read by one process for which the kernel is compiled

_bytes_without_kernel = 0


def read(
    stream: BinaryIO,
    report: FileReport,
    form: Format = OTLP,
    by_columns: Callable[[bytes, FileReport], SpanBatch | None] | None = None,
) -> Iterator[SpanBatch]:
    """The spans of a dump of JSON, whose records are most likely of `form`. `by_columns` reads pieces of such records without
    looking at each; it gives None for those that it cannot read.

    Broken records are reported and left out; spans that cannot be kept are counted under `rejected`.

    Errors: OverbudgetError where nothing in the stream is a record of traces.
    """
    understood = False
    texts = prefetch(_texts(stream, report))  # reads while the kernels are loaded
    try:
        from overbudget.ingest.formats.json.kernel import scan
        from overbudget.ingest.formats.json.one_a_line import one_a_line
        from overbudget.ingest.formats.kernel_reader import KernelReader, batch_of_columns

        spans = KernelReader(scan)
        for given in texts:
            fragments, batch = given, None
            others = report.count_of("other_signals")
            kernel = _worth_the_kernel(given)
            if form.resource_spans is not None:
                piece = one_a_line(b"".join(given))
                if by_columns is not None:
                    batch = by_columns(piece, report)
                elif kernel and (whole := wrapped(piece, form)) is not None:
                    batch = spans.batch_of([whole], report)
                fragments = [translated(piece, form, report)] if batch is None else []
            if batch is None and kernel:
                batch = spans.batch_of(fragments, report)
            if batch is None:
                from overbudget.ingest.formats.json.dialects import records
                from overbudget.ingest.formats.json.rows import columns_of

                found = list(records(one_a_line(b"".join(fragments)), report))
                understood = understood or bool(found)
                batch = batch_of_columns(columns_of(one for record in found for one in record), report)
            if report.count_of("other_signals") > others:
                judged, records_of_them = evaluations_of(b"".join(given), report)
                report.take_back("other_signals", records_of_them)
                batch = replace(batch, evaluations=tuple(judged))
            understood = understood or batch.spans.num_rows > 0 or bool(batch.evaluations)
            if batch.spans.num_rows or batch.evaluations:
                yield batch
    finally:
        texts.close()
    if not understood and not report.rejected:
        raise OverbudgetError(_why_nothing(report))


def _worth_the_kernel(fragments: list[bytes]) -> bool:
    """Whether the kernel is compiled, or there is enough to read that compiling is worth it."""
    from overbudget.ingest.formats.json.kernel import scan
    from overbudget.kernels.jit import AS_PYTHON, is_compiled

    global _bytes_without_kernel
    if AS_PYTHON:
        return False
    if is_compiled(scan):
        return True
    _bytes_without_kernel += sum(map(len, fragments))
    return _bytes_without_kernel > WORTH_COMPILING


def _texts(stream: BinaryIO, report: FileReport) -> Iterator[list[bytes]]:
    """Pieces of JSON documents in valid UTF-8, in fragments."""
    for fragments in pieces(stream, report):
        ascii_only = all(fragment.isascii() for fragment in fragments)
        yield fragments if ascii_only else [_valid_utf8(b"".join(fragments), report)]


def _why_nothing(report: FileReport) -> str:
    warnings = report.warnings
    if "other_signals" in warnings:
        return f"{report.source} holds metrics or logs, and no traces."
    if "cut_off" in warnings:
        return f"{report.source} ends before its first span is complete: {warnings['cut_off'].example.rstrip('.')}."
    if "unreadable_record" in warnings:
        said = warnings["unreadable_record"].example.rstrip(".")
        return f"{report.source} is no dump of traces: {said}. What is read: overbudget ingest --formats."
    return f"{report.source} holds no spans."


def _valid_utf8(piece: bytes, report: FileReport) -> bytes:
    try:
        piece.decode()
    except UnicodeDecodeError as error:
        report.warn("invalid_utf8", f"{error.reason} at byte {error.start} of a piece; shown as U+FFFD")
        return piece.decode("utf-8", "replace").encode()
    return piece
