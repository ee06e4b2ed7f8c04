"""What-if on parts of inference: only the time before, or after, a call's first token changes."""

from pathlib import Path

import numpy as np
import pytest

from overbudget.analysis.requests.table import I64
from overbudget.analysis.whatif.changes import parse_changes
from overbudget.analysis.whatif.whatif import Workbench
from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError
from tests.dataset_builder import MS, DatasetBuilder, Work


def chat(first_ms: int, writing_ms: int, **more: int) -> Work:
    told = {"first_token_ns": first_ms * MS, "writing_ns": writing_ms * MS, **more}
    return Work("inference", (first_ms + writing_ms) * MS, "chat", call=told)


def bench(path: Path, *requests: list[Work]) -> Workbench:
    builder = DatasetBuilder()
    for work in requests:
        builder.request(*work, rest_ns=5 * MS)
    return Workbench(open_dataset(builder.write(path / "parts.duckdb")))


def replayed(of: Workbench, **changes: list[str]) -> I64:
    return of.durations(parse_changes(**changes)) // MS


ONE, TWO, PLAIN, SILENT = (
    [chat(100, 300)],
    [chat(50, 40), chat(30, 60)],
    [Work("tools", 70 * MS)],
    [Work("inference", 200 * MS, "chat")],
)


@pytest.mark.parametrize(
    ("changes", "after"),
    [
        ({"scale": ["inference.writing=1"]}, [405, 185, 75, 205]),
        ({"scale": ["inference.writing=0.5"]}, [255, 135, 75, 205]),
        ({"scale": ["inference.first_token=0"]}, [305, 105, 75, 205]),
        ({"cap": ["inference.writing=50ms"]}, [155, 135, 75, 205]),
        ({"cap": ["inference.first_token=100ms"]}, [405, 185, 75, 205]),
        ({"cap": ["inference.first_token=40ms"], "scale": ["inference.writing=0"]}, [45, 45, 75, 205]),
    ],
)
def test_a_change_of_a_part_changes_that_part_alone(
    tmp_path: Path, changes: dict[str, list[str]], after: list[int]
) -> None:
    assert replayed(bench(tmp_path, ONE, TWO, PLAIN, SILENT), **changes).tolist() == after


def test_both_parts_scaled_are_the_stage_scaled(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    requests = [[chat(int(a), int(b)), Work("tools", int(c) * MS)] for a, b, c in random.integers(1, 200, (30, 3))]
    of = bench(tmp_path, *requests)
    parts = of.durations(parse_changes(scale=["inference.first_token=0.25", "inference.writing=0.25"]))
    whole = of.durations(parse_changes(scale=["inference=0.25"]))
    assert np.abs(parts - whole).max() <= 1  # ns, from rounding


def test_a_part_that_a_server_reports_can_be_changed(tmp_path: Path) -> None:
    of = bench(tmp_path, [chat(100, 300, prefill_ns=80 * MS, decode_ns=290 * MS)])
    assert replayed(of, scale=["inference.prefill=0.5"]).tolist() == [365]


def test_a_part_that_no_call_records_cannot_be_changed(tmp_path: Path) -> None:
    with pytest.raises(OverbudgetError, match="No model call records its first token, so what inference"):
        replayed(bench(tmp_path, SILENT), scale=["inference.writing=0.5"])


def test_a_misspelt_part_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        OverbudgetError, match=r"no stage or operation `inference.writting`. Did you mean `inference.writing`"
    ):
        replayed(bench(tmp_path, ONE), scale=["inference.writting=0.5"])
