"""The picture of what is left along the way."""

import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.review.review import review
from overbudget.app.charts.burn_down import burn_down_figure
from overbudget.app.text.burn_down import burn_down_blocks, title
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
