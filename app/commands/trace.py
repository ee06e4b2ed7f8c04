"""overbudget trace."""

import json
import shutil
import sys
from pathlib import Path

from analysis.trace import load_trace
from app.report.waterfall_text import waterfall
from store.dataset import open_dataset


def run(dataset: Path, trace_id: str, every: bool, as_json: bool) -> None:
    """Print a trace as a waterfall, or its requests with their critical paths as JSON."""
    trace = load_trace(open_dataset(dataset), trace_id)
    if as_json:
        print(json.dumps(trace.as_dict(), indent=2, ensure_ascii=False))
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 120
        print(waterfall(trace, width, every))
