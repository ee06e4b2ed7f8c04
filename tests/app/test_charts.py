"""Charts are pure: an analysis result in, a figure out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.deployments.deployments import Deployment
from overbudget.analysis.requests.table import iso
from overbudget.analysis.review.heatmap import grid_of, in_cell
from overbudget.analysis.review.review import review
from overbudget.app.charts.aggregated_path import aggregated_path_figure
from overbudget.app.charts.axes import MOST_TICKS, duration_axis, tick_text
from overbudget.app.charts.breakdown import breakdown_figure
from overbudget.app.charts.cohorts import cohorts_figure
from overbudget.app.charts.exceedance import exceedance_figure
from overbudget.app.charts.heatmap import over_time_figure
from overbudget.app.charts.parts import key_of
from overbudget.app.charts.spread import spread_figure
from overbudget.app.charts.theme import BUDGET, STAGE_COLOURS, stage_colour
from overbudget.app.charts.under_load import stages_under_load_figure, under_load_figure
from overbudget.app.server.workspace import SAMPLES
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset
from tests.dataset_builder import MS, DatasetBuilder, Work


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


def test_a_bar_is_labelled_as_the_mean_that_it_is_and_not_as_the_percentile(reviewed) -> None:  # type: ignore[no-untyped-def]
    labels = [note.text for note in breakdown_figure(reviewed).layout.annotations]
    assert labels
    for label, made_of in zip(labels, reviewed.breakdown, strict=True):
        assert f"mean {format_duration(made_of.band_latency_ns)}" in label


def test_where_stages_explain_little_the_bars_are_services(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for number in range(100):
        builder.request(
            Work("inference", 10 * MS), *(Work(None, (9 + number % 3) * MS, service=f"<b>{i}") for i in "abc")
        )
    review_of_services = review(open_dataset(builder.write(tmp_path / "services.duckdb")))
    figure = breakdown_figure(review_of_services)
    assert {trace.name for trace in figure.data} == {"api", *(f"&lt;b&gt;{i}" for i in "abc")}
    assert len({trace.marker.color for trace in figure.data}) == 4
    assert {point[1] for trace in figure.data for point in trace.customdata} >= {"total|50", "total|95"}
    assert [name for name, _ in key_of(review_of_services)] == ["<b>a", "<b>b", "<b>c", "api"]


@given(st.floats(1e3, 1e9), st.floats(1, 1e7))
def test_ticks_of_durations_are_few_and_lie_apart(low_ns: float, times: float) -> None:
    axis = duration_axis(low_ns, low_ns * times)
    places = np.log10(axis["tickvals"])
    width = axis["range"][1] - axis["range"][0]
    assert len(places) <= MOST_TICKS
    assert np.all(np.diff(places) / width > 0.05)
    assert len(set(axis["ticktext"])) == len(places)


@pytest.mark.parametrize("latency_ms", [[3], [3, 3], [8, 34], [0.05, 8, 70_000]])
def test_the_ticks_of_the_curve_of_few_requests_do_not_overlap(latency_ms: list[float]) -> None:
    figure = exceedance_figure((np.array(latency_ms) * 1e6).astype(np.int64), {})
    assert 1 <= len(figure.layout.xaxis.tickvals) <= MOST_TICKS


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


HOSTILE = "<b>name</b> %{x}\u202e\n"


def texts(figure) -> str:  # type: ignore[no-untyped-def]
    return figure.to_json()


def test_names_from_the_data_are_shown_as_they_are_by_every_chart() -> None:
    times = np.arange(1, 101, dtype=np.int64) * 1_000_000
    for figure in (
        cohorts_figure({HOSTILE: times, "others": times}),
        aggregated_path_figure([("tools", HOSTILE, HOSTILE, 5e6)], HOSTILE),
    ):
        assert "<b>name" not in texts(figure)
        assert "%{x}\\u202e" not in texts(figure)


def test_the_icicle_adds_up() -> None:
    (icicle,) = aggregated_path_figure(
        [("tools", "a", "x", 5e6), ("tools", "b", "y", 2e6), ("safety", "a", "z", 1e6)], "all"
    ).data
    total = dict(zip(icicle.ids, icicle.values, strict=True))
    children: dict[str, float] = {}
    for node, parent in zip(icicle.ids, icicle.parents, strict=True):
        children[parent] = children.get(parent, 0) + total[node]
    assert children[""] == 8e6
    assert all(children[node] == total[node] for node in children if node)


def test_every_request_is_in_one_cell_of_the_heatmap() -> None:
    random = np.random.default_rng(3)
    start = np.sort(random.integers(0, 10**12, 500))
    latency = random.integers(10**6, 10**9, 500)
    grid = grid_of(start, latency)
    heatmap, targets = over_time_figure(grid, 5 * 10**8).data
    assert np.nansum(np.array(heatmap.z, float)) == 500
    chosen = [choice for _, choice in targets.customdata]
    found = [in_cell(grid, start, latency, *map(int, choice.split("|")[1:]), limit=500) for choice in chosen]
    assert sorted(np.concatenate(found)) == list(range(500))


def test_each_version_is_marked_once_at_its_first_request_whatever_its_name() -> None:
    grid = grid_of(np.array([0, 10**9]), np.array([10**7, 10**8]))
    row = Deployment("api", "<b>2</b>", "1", iso(10**9), iso(0), "clean", 1, 1, 50, 1, 1, 0, None, None, "unknown")
    figure = over_time_figure(grid, None, (), (row, replace(row, percentile=95)))
    (line,) = figure.layout.shapes
    assert (line.x0, line.x1) == (iso(10**9), iso(10**9))
    assert [note.text for note in figure.layout.annotations] == ["&lt;b&gt;2&lt;/b&gt;"]


def test_empty_data_makes_an_empty_figure() -> None:
    nothing = np.zeros(0, np.int64)
    for figure in (
        over_time_figure(grid_of(nothing, nothing), None),
        cohorts_figure({"a": nothing, "b": nothing}),
        under_load_figure((), None, "load"),
        stages_under_load_figure((), "load"),
        spread_figure(()),
    ):
        assert len(figure.data) == 0


@pytest.mark.parametrize(("ms", "text"), [(0.2, "200 µs"), (50, "50 ms"), (1500, "1.5 s"), (120_000, "2 min")])
def test_ticks_change_their_unit_at_a_second(ms: float, text: str) -> None:
    assert tick_text(ms) == text
