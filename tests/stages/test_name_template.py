"""Names of spans: ids are masked, words, models and versions are not."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overbudget.stages.name_template import template, templates, with_route

MASKED = {
    "Crew_9f6c5f2e-3b57-4e0c-8d2a-0a1b2c3d4e5f.kickoff": "Crew_{id}.kickoff",
    "mail ada.l+x@example.co.uk now": "mail {id} now",
    "GET http://10.0.3.17:8080/health": "GET http://{id}/health",
    "dial [2001:db8::8a2e:370:7334]": "dial [{id}]",
    "report 2024-05-17": "report {id}",
    "report 2024-05-17T10:22:33.123Z": "report {id}",
    "job a1b2c3d4": "job {id}",
    "a1b2c3d4-00000000a_abcdef01.a1b2c3d4": "{id}-{id}_{id}.{id}",
    "to a1b2c3d4e@example.com": "to {id}",
    "gpt-4_x_a1b2c3d4": "gpt-4_x_{id}",
    "job 0x7ffe12ab": "job {id}",
    "GET /orders/7": "GET /orders/{id}",
    "GET /orders/7/items/12?page=3&size=20": "GET /orders/{id}/items/{id}?page={id}&size={id}",
    "task-1234": "task-{id}",
    "order 20240": "order {id}",
    "get msg_01XFDUDYJgAACzvnptvVoYEL": "get msg_{id}",
    "chatcmpl-9fGhJ2kLmN8pQrStUvWx0yZ1": "chatcmpl-{id}",
    "import 01ARZ3NDEKTSV4RRFFQ69G5FAV": "import {id}",
    "chat 9f6c5f2e-3b57-4e0c-8d2a-0a1b2c3d4e5f": "chat {id}",
    "toolu_01A09q90qw90lq917835lq9 getV2ItemsFromS3Bucket handleStep3OfTheRun2": "toolu_{id} getV2ItemsFromS3Bucket handleStep3OfTheRun2",
    "session gpt-4-9f6c5f2e-3b57-4e0c-8d2a-0a1b2c3d4e5f": "session gpt-4-{id}",
}
KEPT = (
    "", "{id}", "GET /v2/users", "S3.GetObject", "PUT s3://bucket", "BM25 search", "HTTP/2 POST", "HTTP 404",
    "chat gpt-4", "chat gpt-4-0613", "gpt-4o-2024-08-06", "claude-3-5-sonnet-20241022", "mistral-large-2411",
    "anthropic.claude-3-5-sonnet-20240620-v1:0", "chat some-model-2411", "command-r-08-2024", "text-embedding-ada-002",
    "Gemini-2.5-pro-preview-05-06", "o1-2024-12-17", "step-12", "phase 3 of 12", "execute_tool create",
    "getUserProfileV2ByOrganization", "AuthorizationServiceV2Handler", "deadbeef", "SELECT shop.orders2", "langchain@0.3.1",
    "v1.2.3", "1.2.3.4.5", "std::vector::push_back", "node-123", "retry 1 of 3",
)  # fmt: skip


@pytest.mark.parametrize(("name", "expected"), MASKED.items())
def test_an_id_is_masked(name, expected):
    assert template(name) == expected


@pytest.mark.parametrize("name", KEPT)
def test_words_models_and_versions_are_kept(name):
    assert template(name) == name


@pytest.mark.parametrize(
    ("shorter", "longer"),
    [("n 123", "n 1234"), ("a1b2c3d", "a1b2c3d4"), ("x_aB3dE6gH9jK2mN5", "x_aB3dE6gH9jK2mN5p")],
)
def test_an_id_has_a_least_length(shorter, longer):
    assert template(shorter) == shorter
    assert "{id}" in template(longer)


@settings(deadline=None)
@given(st.lists(st.text(alphabet="ab12/-_.=@ :F0", max_size=30), max_size=20))
def test_names_masked_together_are_masked_as_one_by_one(names):
    names = [*names, *MASKED, *KEPT]
    assert templates(pa.array(names, pa.string())).to_pylist() == [template(name) for name in names]


@settings(deadline=None)
@given(st.text(alphabet="ab12/-_.=@ :F0{}id", max_size=40))
def test_masking_a_template_changes_nothing_more(name):
    assert template(template(name)) == template(name)


def test_a_recorded_route_takes_the_place_of_a_path_only():
    assert with_route("GET /orders/{id}", "/orders/:order") == "GET /orders/:order"
    assert with_route("/orders/{id}", "/orders/:order") == "/orders/:order"
    assert with_route("handle {id}", "/orders/:order") == "handle {id}"
