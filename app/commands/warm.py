"""overbudget warm."""

import json
import tempfile
from pathlib import Path

from overbudget.kernels.cache_folder import cache_folder
from overbudget.kernels.machine_code import key_of_sources, used_files

ROOMS = ("kernels", "stages", "store", "ingest", "analysis", "sample_traces")
OWN_RULES = '[stages.retrieval]\nmatch = [ { name = "retrieve*" } ]\n[request]\nmatch = { name = "POST /chat" }\n'
SAMPLE = Path(__file__).parents[2] / "sample_traces" / "dumps" / "slow_database_tenant.otlp.jsonl.gz"


def run() -> None:
    """Compile every kernel for the types it is called with, unless all are cached already; print which it was."""
    record = cache_folder() / f"warm-{key_of_sources(_sources())}.json"
    if _all_kept(record):
        print(f"Everything is compiled already, in {cache_folder()}.")
        return
    call_every_kernel()
    kept = sorted(str(path) for path in used_files)
    if not kept:
        return  # the reason why nothing could be cached was printed already
    for old in record.parent.glob("warm-*.json"):
        old.unlink(missing_ok=True)
    record.write_text(json.dumps(kept), encoding="utf-8")
    print(f"{len(kept)} {'kernel is' if len(kept) == 1 else 'kernels are'} compiled, in {cache_folder()}.")


def _sources() -> list[Path]:
    package = Path(__file__).parents[2]
    return sorted(path for room in ROOMS for path in (package / room).rglob("*.py"))


def _all_kept(record: Path) -> bool:
    """Whether all that an earlier `warm` of the same sources kept is still there."""
    try:
        kept = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(kept) and all(Path(one).is_file() for one in kept)


def call_every_kernel() -> None:
    """Run every analysis on a sample, with and without the user's own rules, so that kernels see the types in use."""
    from overbudget.analysis.advice.advice import advise
    from overbudget.analysis.budget.file import parse_budget
    from overbudget.analysis.compare.compare import Side, compare
    from overbudget.analysis.consistency.consistency import consistency
    from overbudget.analysis.load.load import load
    from overbudget.analysis.review.review import review
    from overbudget.analysis.tail.tail import tail
    from overbudget.ingest.pipeline import ingest
    from overbudget.store.dataset import open_dataset

    call_readers()
    with tempfile.TemporaryDirectory() as folder:
        dataset = Path(folder) / "sample.duckdb"
        ingest([SAMPLE], dataset)
        connection = open_dataset(dataset)
        for budget in (None, parse_budget(OWN_RULES, "rules")):
            for answer in (review, tail, load, consistency):
                answer(connection, budget)
        advise(connection, dataset.name)
        compare(Side(connection), Side(connection))
        connection.close()


def call_readers() -> None:
    """Call each reader's kernel on an empty document: small dumps are read without them."""
    from overbudget.ingest.formats.json.kernel import scan as scan_json
    from overbudget.ingest.formats.kernel_reader import KernelReader
    from overbudget.ingest.formats.protobuf.kernel import scan as scan_protobuf
    from overbudget.ingest.report import FileReport

    for scan, document in ((scan_json, b"{}"), (scan_protobuf, b"")):
        KernelReader(scan).batch_of([document], FileReport("nothing"))
