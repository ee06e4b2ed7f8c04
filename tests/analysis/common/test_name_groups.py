"""Names that are told together where there are many of them."""

import random

import pytest

from overbudget.analysis.common.name_groups import name_groups


def of(*names, service="api"):
    return [(service, name) for name in names]


@pytest.mark.parametrize(("names", "together"), [(4, False), (5, True)])
def test_counters_are_told_together_from_five_names_on(names, together):
    groups = name_groups(of(*(f"step-{n}" for n in range(names))))
    assert set(groups.values()) == ({"step-{n}"} if together else set())


@pytest.mark.parametrize(("names", "together"), [(19, False), (20, True)])
def test_words_of_a_path_segment_are_told_together_from_twenty_on(names, together):
    groups = name_groups(of(*(f"GET /wiki/{chr(97 + n) * 3}/view" for n in range(names)), "GET /wiki"))
    assert set(groups.values()) == ({"GET /wiki/{name}/view"} if together else set())
    assert ("api", "GET /wiki") not in groups


def test_each_service_counts_for_itself():
    assert name_groups([*of("a-1", "a-2", "a-3"), *of("a-4", "a-5", service="other")]) == {}


def test_short_hexadecimal_digits_are_told_together_and_words_are_not():
    groups = name_groups(of("run-a1b2", "run-c3d4", "run-e5f6", "run-0a9f", "run-77aa1", "run-face", "run-list"))
    assert groups == dict.fromkeys(of("run-a1b2", "run-c3d4", "run-e5f6", "run-0a9f", "run-77aa1"), "run-{n}")


def test_models_are_never_told_together():
    assert name_groups(of(*(f"chat gpt-{n}" for n in range(9)))) == {}


def test_the_order_of_names_does_not_matter():
    names = of(*(f"step-{n}" for n in range(9)), *(f"/a/{chr(97 + n)}/{n % 3}b" for n in range(26)), "step", "/a/b")
    shuffled = random.Random(1).sample(names, len(names))
    assert name_groups(names) == name_groups(shuffled)
