"""One dump file, from its first bytes to span batches."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from overbudget.ingest.batch import SpanBatch
from overbudget.ingest.files.bounds import LimitMet
from overbudget.ingest.files.source import CHUNK, STDIN, Dump, Member, Stream, members
from overbudget.ingest.formats.catalogue import CLICKHOUSE, JAVASCRIPT_CONSOLE, PARQUET, PROTOBUF, Format
from overbudget.ingest.formats.recognise import CONSOLE, CSV, HEAD, recognise
from overbudget.ingest.report import FileReport
from overbudget.store.errors import OverbudgetError


def read_dump(
    dump: Dump, report: FileReport, on_bytes: Callable[[int], None] = lambda count: None
) -> Iterator[SpanBatch]:
    """The spans of everything in a dump file. Warnings go into `report`.

    Errors: OverbudgetError where nothing in it is a dump of traces. In an archive, other files are skipped.
    """
    refused: OverbudgetError | None = None
    read = 0
    for member in members(dump, report, on_bytes):
        try:
            yield from read_member(member, report, None if dump.path == STDIN else Path(dump.path))
            read += 1
        except LimitMet:
            raise
        except OverbudgetError as error:
            refused = refused or error
            report.warn("not_a_dump", str(error).rstrip("."))
    if read == 0:
        if refused is None:
            _refuse_what_could_not_be_unpacked(report, ("damaged", "cut_off", "not_a_dump"))
        raise refused or OverbudgetError(f"{report.source} holds no files.")


def read_member(member: Member, report: FileReport, path: Path | None = None) -> Iterator[SpanBatch]:
    """The spans of one stream of plain bytes, which comes from the file at `path`."""
    head = member.stream.peek(HEAD)
    if not head:
        _refuse_what_could_not_be_unpacked(report)
    form, framing = recognise(head, report.source if member.name in report.source else member.name)
    how = "" if framing == CONSOLE else framing
    report.format = report.format or ", ".join(filter(None, (form.title, how, member.compression)))
    if form is PROTOBUF:
        from overbudget.ingest.formats.protobuf import reader as protobuf_reader

        yield from protobuf_reader.read(member.stream, framing, report)
    elif form is PARQUET:
        yield from _read_parquet(member, report, path)
    elif framing == CSV:
        from overbudget.ingest.formats.tables.rows import read_csv

        yield from read_csv(member.stream, form, report)  # type: ignore[arg-type]
    else:
        from overbudget.ingest.formats.json import reader as json_reader

        stream = member.stream
        if form is JAVASCRIPT_CONSOLE and framing == CONSOLE:
            from overbudget.ingest.formats.exports.javascript_text import json_lines

            stream = Stream(json_lines(member.stream, report))  # type: ignore[arg-type]
        yield from json_reader.read(stream, report, form, _by_columns(form))  # type: ignore[arg-type]


def _by_columns(form: Format) -> Callable[[bytes, FileReport], SpanBatch | None] | None:
    """What reads lines of this format without looking at each record; None for most."""
    if form is not CLICKHOUSE:
        return None
    from overbudget.ingest.formats.tables import clickhouse_lines

    return clickhouse_lines.batch_of_lines


def _read_parquet(member: Member, report: FileReport, path: Path | None) -> Iterator[SpanBatch]:
    """The spans of a Parquet file, whose index is at its end: what is packed is unpacked into a file of its own."""
    from overbudget.ingest.formats.tables import parquet

    if path is not None and not member.compression:
        member.stream.skip()
        yield from parquet.read(path, path.parent, report)
        return
    with tempfile.TemporaryFile() as spool:
        while data := member.stream.read(CHUNK):
            spool.write(data)
        spool.seek(0)
        yield from parquet.read(spool, None, report)


def _refuse_what_could_not_be_unpacked(report: FileReport, codes: tuple[str, ...] = ("damaged", "cut_off")) -> None:
    """Errors: OverbudgetError where compressed bytes are missing or wrong, which then is why nothing is there."""
    for code in codes:
        if code in report.warnings:
            raise OverbudgetError(f"{report.source} cannot be read: {report.warnings[code].example}.")
