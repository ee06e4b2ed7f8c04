"""What is left along the way: the picture, and which percentiles are told."""

import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.review.review import review
from overbudget.app.charts.burn_down import burn_down_figure
from overbudget.app.text.burn_down import MOST_TABLES, burn_down_blocks, over_their_cap, title, told_percentiles
from overbudget.store.dataset import open_dataset
from tests.dataset_builder import MS, DatasetBuilder, Work


def drawn(tmp_path, budget: str):
    builder = DatasetBuilder()
    for number in range(100):
        slow = number % 10 == 0
        more = [Work("tools", 50 * MS)] if number % 20 == 0 else []
        builder.request(Work("retrieval", (900 if slow else 100) * MS), *more, Work("inference", 300 * MS))
    return review(open_dataset(builder.write(tmp_path / "d.duckdb")), parse_budget(budget))


def test_a_row_for_each_stage_that_most_have_from_arrival_to_answer(tmp_path) -> None:
    found = drawn(tmp_path, "[budget]\np95 = '1s'")
    figure = burn_down_figure(found, 95)
    typical, slow = figure.data
    assert list(slow.y) == ["request arrives", "retrieval begins", "tools begins", "inference begins", "answer sent"]
    assert slow.x[:2] == (1.0, 1.0)
    assert slow.x[-1] == pytest.approx(1.0 - found.made_of(95).band_latency_ns / 1e9)
    assert list(typical.y) == ["request arrives", "retrieval begins", "inference begins", "answer sent"]
    assert typical.x[-1] == pytest.approx(0.6)
    assert slow.marker.color[-1] != slow.marker.color[0]  # overspent is red
    assert "it runs out in inference" in title(found, 95)


def test_without_a_cap_on_the_whole_request_there_is_no_picture(tmp_path) -> None:
    found = drawn(tmp_path, "[stages.retrieval]\np95 = '1s'")
    assert not burn_down_figure(found, 95).data
    assert burn_down_blocks(found) == []


def percentiles(found) -> list[str]:
    return [block.columns[1].title for block in burn_down_blocks(found)]


def test_the_page_offers_every_percentile_with_a_cap_of_its_own(tmp_path) -> None:
    assert told_percentiles(drawn(tmp_path, "[budget]\np50 = '500ms'\np95 = '1s'")) == [50, 75, 90, 95]


def test_of_a_cap_that_is_given_for_lower_percentiles_alone_p95_is_offered_too(tmp_path) -> None:
    assert told_percentiles(drawn(tmp_path, "[budget]\np50 = '500ms'")) == [50, 95]


def test_without_a_cap_on_the_whole_request_no_percentile_is_offered(tmp_path) -> None:
    assert told_percentiles(drawn(tmp_path, "[first_token]\np95 = '1s'")) == []


def test_each_cap_that_is_exceeded_is_told_once_at_the_highest_percentile_over_it(tmp_path) -> None:
    found = drawn(tmp_path, "[budget]\np50 = '300ms'\np95 = '350ms'")
    assert [row.percentile for row in found.end_to_end if row.verdict == "over"] == [50, 75, 90, 95]
    assert percentiles(found) == ["around p50", "around p95"]
    found = drawn(tmp_path, "[budget]\np95 = '300ms'")
    assert [row.percentile for row in found.end_to_end if row.verdict == "over"] == [50, 75, 90, 95]
    assert percentiles(found) == ["around p95"]


def test_a_cap_that_only_typical_requests_exceed_is_told(tmp_path) -> None:
    assert percentiles(drawn(tmp_path, "[budget]\np50 = '300ms'\np95 = '2s'")) == ["around p50"]


def test_where_no_cap_is_exceeded_p95_is_told(tmp_path) -> None:
    assert percentiles(drawn(tmp_path, "[budget]\np50 = '1s'\np95 = '2s'")) == ["around p95"]


def test_of_many_exceeded_caps_the_lowest_and_the_two_highest_are_told(tmp_path) -> None:
    found = drawn(tmp_path, "[budget]\np50 = '300ms'\np75 = '310ms'\np90 = '320ms'\np95 = '330ms'")
    assert [row.percentile for row in found.end_to_end if row.verdict == "over"] == [50, 75, 90, 95]
    assert over_their_cap(found) == [50, 90, 95]
    assert len(burn_down_blocks(found)) == MOST_TABLES


def test_labels_at_the_left_stand_right_of_their_points_so_that_a_narrow_window_cuts_none_off(tmp_path) -> None:
    _, slow = burn_down_figure(drawn(tmp_path, "[budget]\np95 = '1s'"), 95).data
    places = dict(zip(slow.y, slow.textposition, strict=True))
    assert places["retrieval begins"] == "top left"
    assert places["answer sent"] == "bottom right"
