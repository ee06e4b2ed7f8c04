"""overbudget trace."""

import shutil
import sys
from pathlib import Path

from overbudget.analysis.trace.otlp import trace_otlp
from overbudget.analysis.trace.trace import find_trace_id, load_trace
from overbudget.app.text.json_text import json_text
from overbudget.app.text.waterfall import waterfall
from overbudget.store.dataset import open_dataset


def run(dataset: Path, trace_id: str, every: bool, form: str) -> None:
    """Print a trace as a waterfall ("text"), its requests with their critical paths ("json"), or its spans as recorded ("otlp")."""
    connection = open_dataset(dataset)
    if form == "otlp":
        print(json_text(trace_otlp(connection, find_trace_id(connection, trace_id)), None))
    elif form == "json":
        print(json_text(load_trace(connection, trace_id).as_dict()))
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 120
        print(waterfall(load_trace(connection, trace_id), width, every))
