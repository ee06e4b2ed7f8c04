"""From dump files to a published dataset: read, number, store, derive, publish."""

import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from overbudget.ingest.derive.weights import weigh_as_said
from overbudget.ingest.files.bounds import LimitMet
from overbudget.ingest.files.prefetch import prefetch
from overbudget.ingest.files.source import Dump, expand
from overbudget.ingest.formats.read import read_dump
from overbudget.ingest.report import FileReport, QuietReport
from overbudget.ingest.write.operation_rows import RECORDED, store_counts, store_operations
from overbudget.stages.redaction import Redaction
from overbudget.store.dataset import build, open_dataset
from overbudget.store.errors import OverbudgetError
from overbudget.store.limits import how_to_raise, limit
from overbudget.store.lock import writing, writing_new
from overbudget.store.tables import insert, passing

if TYPE_CHECKING:
    from overbudget.ingest.derive.derive import Derivation
    from overbudget.ingest.redact.redact import Redactor
    from overbudget.ingest.write.writer import Writer


@dataclass(frozen=True)
class Progress:
    """How far ingest has come, for a progress bar."""

    source: str
    bytes_read: int  # of all dumps, as on disk
    bytes_total: int | None  # None where a dump is a stream of unknown length
    spans: int  # of all dumps
    phase: str = "reading"  # "waiting" before it where another writes the dataset; then "deriving"


@dataclass(frozen=True)
class IngestResult:
    """What was read and stored. `files` are the dumps just read; spans, traces and requests are of the whole dataset."""

    dataset: Path
    spans: int
    traces: int
    requests: int
    files: list[FileReport]

    def as_dict(self) -> dict[str, Any]:
        """The JSON of `overbudget ingest --json` (docs/reference/json.md)."""
        files = [{**asdict(file), "warnings": [asdict(w) for w in file.warnings.values()]} for file in self.files]
        merged: dict[str, dict[str, Any]] = {}
        for warning in (warning for file in files for warning in file["warnings"]):
            entry = merged.setdefault(warning["code"], {**warning, "count": 0})
            entry["count"] += warning["count"]
        return {
            "dataset": str(self.dataset),
            "spans": self.spans,
            "traces": self.traces,
            "requests": self.requests,
            "duplicates": sum(file.duplicates for file in self.files),
            "rejected": sum(file.rejected for file in self.files),
            "warnings": list(merged.values()),
            "files": files,
        }


def ingest(
    dumps: Sequence[str | Path],
    to: Path | str,
    append: bool = False,
    progress: Callable[[Progress], None] | None = None,
    adjust_clocks: bool = True,
    sampled: str | float | None = None,
    replace: bool = True,
    redaction: Redaction | None = None,
) -> IngestResult:
    """Read every dump in `dumps` (files, folders, patterns, "-") into the dataset `to`, replacing or extending it.

    No other process can write the dataset meanwhile; a second one waits. Without `replace`, if `to` exists already, another
    name is used: NAME-2 and so on.

    The dataset is published only when it is complete; whatever goes wrong, an older one stays as it was. A file that the user
    named must be a dump; files in a named folder that are not dumps are skipped. Clock skew between services is corrected
    (docs/reference/method.md, Clock skew) in the whole dataset, unless `adjust_clocks` is off.

    `sampled` says how the traces of these dumps were sampled, where they do not record it: the probability of being kept, or
    "tail" if that depended on their content. What `redaction` forbids is neither written nor counted nor shown.

    Errors: OverbudgetError where nothing readable is in the dumps, or `to` cannot be written.
    """
    said, to = _how_sampled(sampled), Path(to)
    files = expand([str(dump) for dump in dumps])
    tell = progress or (lambda _: None)
    lock = (
        writing(to, waiting=lambda: tell(Progress("", 0, _total(files), 0, "waiting"))) if replace else writing_new(to)
    )
    with lock as free:
        return _ingest_locked(files, free or to, append, tell, adjust_clocks, said, redaction or Redaction())


def _ingest_locked(
    files: Sequence[Dump],
    to: Path,
    append: bool,
    tell: Callable[[Progress], None],
    adjust_clocks: bool,
    said: str | None,
    redaction: Redaction,
) -> IngestResult:
    older = to if append and to.exists() else None
    if older:
        open_dataset(older).close()
    threading.Thread(target=_load_kernels, name="overbudget-kernels", daemon=True).start()
    redactor = _redactor(redaction)
    first = _Reading(files[0], 0, redactor)  # reads on while the dataset is created
    with closing(first), build(to, start_from=older) as connection:
        connection.execute("BEGIN")
        reports, writer = _read_all(first, files, connection, tell, redactor)
        _join_evaluations(connection, reports, writer)
        from overbudget.ingest.derive.missing_parents import replace_missing_parents

        replace_missing_parents(connection, writer)
        connection.execute("COMMIT")  # deriving reads over a separate connection; no other process sees this file yet
        connection.execute("BEGIN")
        from overbudget.ingest.derive.derive import derive
        from overbudget.ingest.write.operations import with_records
        from overbudget.stages.operation_table import catalogue_of

        tell(Progress("", _total(files) or 0, _total(files), writer.next_span_no, "deriving"))
        operations = with_records(connection, writer.operations.table())
        catalogue = catalogue_of(operations)
        store_operations(connection, operations, catalogue)
        outcome = derive(connection, catalogue, adjust_clocks)
        for _, report in reports:
            report.sampled = said
        _complete(connection, reports, outcome)
        weigh_as_said(connection)
        connection.execute("COMMIT")
        spans = connection.execute(f"SELECT count(*) FROM {RECORDED}").fetchall()[0][0]
    return IngestResult(to, spans, outcome.traces, outcome.requests, [report for _, report in reports])


def _redactor(redaction: Redaction) -> "Redactor | None":
    if not redaction:
        return None
    from overbudget.ingest.redact.redact import Redactor

    return Redactor(redaction)


def _how_sampled(said: str | float | None) -> str | None:
    if said is None or said == "tail":
        return said
    try:
        probability = float(said)
    except ValueError:
        probability = 0.0
    if not 0 < probability <= 1:
        raise OverbudgetError(
            f"--sampled {said}: say the probability with which a trace was kept, above 0 and at most 1 (0.1 for one in ten), "
            "or tail where the slow and the failed ones were."
        )
    return f"{probability:g}"


def _total(files: Sequence[Dump]) -> int | None:
    sizes = [file.size for file in files]
    return None if None in sizes else sum(size for size in sizes if size is not None)


class _Reading:
    """A dump that is being read in a thread, which starts at once."""

    def __init__(self, dump: Dump, bytes_before: int, redactor: "Redactor | None") -> None:
        self.dump, self.report = dump, FileReport(dump.path, bytes=dump.size or 0)
        self._before = self.taken = bytes_before  # of all dumps
        if redactor:
            self.report = QuietReport(dump.path, bytes=dump.size or 0)
        batches = read_dump(dump, self.report, self._take)
        self.batches = prefetch(map(redactor.of_text, batches) if redactor else batches)

    def _take(self, count: int) -> None:
        self.taken += count

    def close(self) -> None:
        self.batches.close()
        self.report.bytes = self.report.bytes or self.taken - self._before
        self.taken = max(self.taken, self._before + (self.dump.size or 0))


def _read_all(
    first: _Reading,
    files: Sequence[Dump],
    connection: duckdb.DuckDBPyConnection,
    tell: Callable[[Progress], None],
    redactor: "Redactor | None",
) -> tuple[list[tuple[int, FileReport]], "Writer"]:
    """Store the content of the files, of which the first is being read already; returns their reports by source_id."""
    from overbudget.ingest.write.writer import Writer

    writer, total = Writer(connection, redactor.of_content if redactor else None), _total(files)
    source_id, taken = writer.next_source_id, 0
    reports: list[tuple[int, FileReport]] = []
    refused: OverbudgetError | None = None
    for file in files:
        reading = first if file is files[0] else _Reading(file, taken, redactor)
        batches = prefetch(writer.numbered(reading.batches, source_id + len(reports)))
        try:
            for batch in batches:
                writer.store(batch)
                if writer.next_span_no > limit("spans"):
                    raise LimitMet(f"There are too many spans in {file.path} for a dataset ({how_to_raise('spans')}).")
                reading.report.warn("no_service_name", "a resource without service.name", batch.nameless)
                tell(Progress(file.path, reading.taken, total, writer.next_span_no))
        except OverbudgetError as error:
            if file.named or isinstance(error, LimitMet):
                raise
            refused = refused or error
            if "not_a_dump" not in reading.report.warnings:  # the files of an archive were reported already
                reading.report.warn("not_a_dump", str(error).rstrip("."))
        finally:
            batches.close()
            reading.close()
            taken = reading.taken
        reports.append((source_id + len(reports), reading.report))
    if writer.next_span_no == 0:
        raise refused or OverbudgetError(_nothing_kept([report for _, report in reports]))
    return reports, writer


def _join_evaluations(
    connection: duckdb.DuckDBPyConnection, reports: Sequence[tuple[int, FileReport]], writer: "Writer"
) -> None:
    """Give spans the evaluations that came as log records, of whatever file."""
    if not writer.evaluations:
        return
    from overbudget.ingest.write.evaluations import store_evaluations

    lost = store_evaluations(connection, writer.evaluations)
    reports[0][1].warn("evaluation_without_span", "an evaluation among log records", lost)


def _load_kernels() -> None:
    """Load the kernels while the file is created and the first bytes are read: it takes half a second."""
    import overbudget.ingest.formats.json.kernel
    import overbudget.ingest.write.writer  # noqa: F401
    from overbudget.ingest.derive.compile_ahead import paths_compiled_ahead
    from overbudget.ingest.derive.warm_up import warm_up

    with paths_compiled_ahead():
        warm_up()


def _nothing_kept(reports: Sequence[FileReport]) -> str:
    rejected = [report for report in reports if report.rejected]
    if rejected:
        count = sum(report.rejected for report in rejected)
        warning = next(iter(rejected[0].warnings.values()))
        return f"None of the {count} spans in {rejected[0].source} could be kept: {warning.code}, {warning.example}."
    return f"{reports[0].source} holds no spans."


# The example of a warning that only shows in the trees.
_DERIVED_EXAMPLE = "'trace ' || trace_id || ', span ' || span_id"


def _complete(
    connection: duckdb.DuckDBPyConnection, reports: Sequence[tuple[int, FileReport]], outcome: "Derivation"
) -> None:
    """Fill in what only the whole dataset shows about each file, and write the relation ingest_report."""
    of_source = dict(reports)
    store_counts(connection, outcome.spans_of_operation)
    for code, chunks in outcome.warnings.items():
        warned = pa.table({"span_no": pa.chunked_array([pa.array(chunk) for chunk in chunks])})
        relation = (
            "removed_spans" if code.endswith("duplicate_span") or code == "conflicting_duplicate" else "data.spans"
        )
        with passing(connection, warned=warned):
            found = connection.execute(
                f"""SELECT source_id, count(*), arg_min({_DERIVED_EXAMPLE}, span_no)
                    FROM {relation} JOIN warned USING (span_no) GROUP BY source_id"""
            ).fetchall()
        for source_id, count, example in found:
            if source_id in of_source:
                of_source[source_id].warn(code, example, count)
                if relation == "removed_spans":
                    of_source[source_id].duplicates += count
    counts = {
        name: dict(connection.execute(f"SELECT source_id, count(*) FROM {relation} GROUP BY source_id").fetchall())
        for name, relation in (("spans", RECORDED), ("requests", "requests"))
    }
    for source_id, report in reports:
        report.spans, report.requests = counts["spans"].get(source_id, 0), counts["requests"].get(source_id, 0)
    rows = [
        {
            "source_id": source_id,
            **asdict(report),
            "warnings": [asdict(warning) for warning in report.warnings.values()],
        }
        for source_id, report in reports
    ]
    insert(connection, "ingest_report", pa.Table.from_pylist(rows, schema=_REPORT))


_REPORT = pa.schema(
    [
        ("source_id", pa.int32()), ("source", pa.string()), ("format", pa.string()),
        *((name, pa.int64()) for name in ("bytes", "spans", "requests", "duplicates", "rejected")), ("sampled", pa.string()),
        ("warnings", pa.list_(pa.struct([("code", pa.string()), ("count", pa.int64()), ("example", pa.string())]))),
    ]
)  # fmt: skip
