"""One dump file, from its first bytes to span batches."""

from collections.abc import Callable, Iterator

from ingest.batch import SpanBatch
from ingest.recognise import HEAD, JSON, recognise
from ingest.report import FileReport
from ingest.source import Dump, Member, members
from store.errors import OverbudgetError


def read_dump(
    dump: Dump, report: FileReport, on_bytes: Callable[[int], None] = lambda count: None
) -> Iterator[SpanBatch]:
    """The spans of all that is in a dump file. What is odd about it goes into `report`.

    Errors: OverbudgetError where nothing in it is a dump of traces. In an archive, what is none is passed over.
    """
    refused: OverbudgetError | None = None
    read = 0
    for member in members(dump, report, on_bytes):
        try:
            yield from read_member(member, report)
            read += 1
        except OverbudgetError as error:
            refused = refused or error
            report.warn("not_a_dump", str(error).rstrip("."))
    if read == 0:
        if refused is None:
            _refuse_what_could_not_be_unpacked(report)
        raise refused or OverbudgetError(f"{report.source} holds no files.")


def read_member(member: Member, report: FileReport) -> Iterator[SpanBatch]:
    """The spans of one stream of plain bytes."""
    head = member.stream.peek(HEAD)
    if not head:
        _refuse_what_could_not_be_unpacked(report)
    form = recognise(head, report.source if member.name in report.source else member.name)
    name = "OTLP JSON" if form == JSON else f"OTLP protobuf, {form}"
    report.format = report.format or ", ".join(filter(None, (name, member.compression)))
    if form == JSON:
        from ingest import otlp_json

        yield from otlp_json.read(member.stream, report)  # type: ignore[arg-type]
    else:
        from ingest import otlp_protobuf

        yield from otlp_protobuf.read(member.stream, form, report)


def _refuse_what_could_not_be_unpacked(report: FileReport) -> None:
    """Errors: OverbudgetError where compressed bytes are missing or wrong, which then is why nothing is there."""
    for code in ("damaged", "cut_off"):
        if code in report.warnings:
            raise OverbudgetError(f"{report.source} cannot be read: {report.warnings[code].example}.")
