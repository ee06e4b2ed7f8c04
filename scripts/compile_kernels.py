"""Compile every kernel now, so that nobody waits for it later: python -m scripts.compile_kernels. numba keeps the result."""

import tempfile
from pathlib import Path

from app.workspace import SAMPLES
from ingest.pipeline import ingest

with tempfile.TemporaryDirectory() as folder:
    ingest(sorted(SAMPLES.glob("slow_database_tenant.otlp.*")), Path(folder) / "sample.duckdb")
