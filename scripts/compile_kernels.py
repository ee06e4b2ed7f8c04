"""Compile every kernel now, so that nobody waits for it later: python -m scripts.compile_kernels. numba keeps the result."""

import os
import tempfile
from pathlib import Path

from overbudget.analysis.advice.advice import advise
from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.compare.compare import Side, compare
from overbudget.analysis.consistency.consistency import consistency
from overbudget.analysis.load.load import load
from overbudget.analysis.review.review import review
from overbudget.analysis.tail.tail import tail
from overbudget.app.server.workspace import SAMPLES
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset

OWN_RULES = '[stages.retrieval]\nmatch = [ { name = "retrieve*" } ]\n[request]\nmatch = { name = "POST /chat" }\n'

with tempfile.TemporaryDirectory() as folder:
    dataset = Path(folder) / "sample.duckdb"
    ingest(sorted(SAMPLES.glob("slow_database_tenant.otlp.*")), dataset)
    connection = open_dataset(dataset)
    for budget in (None, parse_budget(OWN_RULES, "rules")):
        for answer in (review, tail, load, consistency):
            answer(connection, budget)
    advise(connection, dataset.name)
    compare(Side(connection), Side(connection))
    connection.close()
os._exit(0)  # DuckDB's bindings complain about themselves when Python is taken apart
