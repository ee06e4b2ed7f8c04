"""Names with ids at ingest: the operation and the route are masked, the span keeps what it recorded."""

import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.health.audit import audit
from overbudget.analysis.requests.read import read_requests, require_known
from overbudget.analysis.requests.table import Filters
from overbudget.store.errors import OverbudgetError
from tests.span_dump import Span, dataset

ORDERS = [7, 12, 345]


def orders(number):
    return [
        Span(f"GET /orders/{number}", 0, 100 + number, kind="server", attributes={"http.request.method": "GET"}),
        Span(f"load order {number}000", 10, 50, parent=f"GET /orders/{number}"),
        Span(f"PUT /stock/{number}", 50, 60, parent=f"GET /orders/{number}", attributes={"http.route": "/stock/:item"}),
        Span("bill", 60, 90, parent=f"GET /orders/{number}"),
    ]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return dataset(tmp_path_factory.mktemp("names") / "shop.duckdb", map(orders, ORDERS))


def test_operations_and_routes_are_templates_and_spans_keep_their_names(shop):
    named = "SELECT name FROM operations ORDER BY name"
    assert shop.sql(named).fetchall() == [("GET /orders/{id}",), ("PUT /stock/:item",), ("bill",), ("load order {id}",)]
    assert shop.sql("SELECT DISTINCT route FROM requests").fetchall() == [("GET /orders/{id}",)]
    recorded = {name for (name,) in shop.sql("SELECT name FROM spans").fetchall()}
    assert recorded == {span.name for number in ORDERS for span in orders(number)}


def test_only_route_takes_the_template_or_a_name_as_recorded(shop):
    table = read_requests(shop)
    assert len(table.select(Filters(route="GET /orders/{id}"))) == 3
    assert table.select(Filters(route="GET /orders/12")).request_no.tolist() == [1]
    assert table.select(Filters(route=["GET /orders/12", "GET /orders/345"])).request_no.tolist() == [1, 2]
    require_known(table, Filters(route="GET /orders/12"))
    with pytest.raises(OverbudgetError, match="No request has the route"):
        require_known(table, Filters(route="GET /orders/13"))


@pytest.mark.parametrize(
    ("pattern", "calls"), [("load order 7000", 1), ("load order *", 3), ("load order {id}", 3), ("PUT /stock/1*", 1)]
)
def test_a_rule_matches_the_template_or_a_name_as_recorded(shop, pattern, calls):
    budget = parse_budget(f'[stages.mine]\nmatch = [{{ name = "{pattern}" }}]\n', "budget.toml")
    table = read_requests(shop, budget)
    mine = table.stage_ns[:, table.stages.index("mine")]
    assert (mine > 0).sum() == calls


def test_a_budget_names_a_route_either_way():
    budget = parse_budget('[routes."GET /orders/12"]\np95 = "1s"\n', "budget.toml")
    assert budget.for_route("GET /orders/{id}").caps == {95: 1_000_000_000}
    assert budget.for_route("GET /orders/list").caps == {}


def test_audit_names_the_operations_whose_names_carry_ids(shop):
    (problem,) = [one for one in audit(shop).problems if one.code == "ids_in_names"]
    assert problem.count == 9
    assert problem.services == ("api",)
    assert "GET /orders/{id} of api, PUT /stock/:item of api, load order {id} of api" in problem.means
    assert problem.example.startswith("`GET /orders/7`, trace ")


def test_audit_says_nothing_where_no_name_carries_an_id(tmp_path):
    plain = dataset(tmp_path / "plain.duckdb", [[Span("GET /orders", 0, 10)]])
    assert "ids_in_names" not in {one.code for one in audit(plain).problems}
