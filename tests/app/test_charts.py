"""Charts are pure: an analysis result in, a figure out."""

import numpy as np
import pytest

from analysis.review import review
from app.charts.breakdown import breakdown_figure
from app.charts.exceedance import exceedance_figure
from app.charts.theme import BUDGET, STAGE_COLOURS, stage_colour
from app.workspace import SAMPLES
from ingest.pipeline import ingest
from store.dataset import open_dataset


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    path = tmp_path_factory.mktemp("charts") / "d.duckdb"
    ingest([SAMPLES / "healthy.otlp.jsonl.gz"], path)
    return review(open_dataset(path))


def test_the_stack_adds_up_to_the_latency_of_the_band(reviewed) -> None:  # type: ignore[no-untyped-def]
    figure = breakdown_figure(reviewed)
    for place, made_of in enumerate(reviewed.breakdown):
        total_s = sum(trace.x[place] for trace in figure.data)
        assert total_s * 1e9 == pytest.approx(made_of.band_latency_ns, rel=1e-6)


def test_a_stage_has_the_same_colour_in_every_bar_and_never_the_red_of_the_budget(reviewed) -> None:  # type: ignore[no-untyped-def]
    assert all(
        trace.marker.color == stage_colour(trace.name.split(":")[0]) for trace in breakdown_figure(reviewed).data
    )
    assert BUDGET not in STAGE_COLOURS.values()


def test_half_of_the_requests_are_slower_than_the_median() -> None:
    latency = np.arange(1, 1001, dtype=np.int64) * 1_000_000
    curve = exceedance_figure(latency, {}).data[0]
    at = np.argmin(np.abs(np.array(curve.x) - 500))
    assert curve.y[at] == pytest.approx(0.5, abs=0.01)
    assert np.all(np.diff(curve.y) > 0)
    assert np.all(np.diff(curve.x) <= 0)
