"""A limit is what it says unless it is set, by an option or the environment, and what is no limit is said."""

import pytest

from overbudget.store.errors import OverbudgetError
from overbudget.store.limits import LIMITS, VARIABLE, as_written, how_to_raise, limit, set_limits


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LIMITS:
        monkeypatch.setenv(VARIABLE + name.upper(), "1")
        monkeypatch.delenv(VARIABLE + name.upper())


def test_a_limit_is_its_default_until_it_is_set() -> None:
    assert limit("lock_wait") == LIMITS["lock_wait"].default
    set_limits(["lock-wait=2min"])
    assert limit("lock_wait") == 120
    assert "the limit lock_wait is 120 s; set another with --limit lock_wait=VALUE" in how_to_raise("lock_wait")


@pytest.mark.parametrize(
    "said", ["lock_wait", "lock_wait=", "lock_wait=soon", "lock_wait=3GB", "lock=3", "=", "lock_wait=-1"]
)
def test_what_is_no_limit_is_said(said: str) -> None:
    with pytest.raises(OverbudgetError, match="lock_wait"):
        set_limits([said])
    assert limit("lock_wait") == LIMITS["lock_wait"].default


def test_the_environment_that_is_wrong_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE + "LOCK_WAIT", "1 fortnight")
    with pytest.raises(OverbudgetError, match="lock_wait=1 fortnight cannot be read: write it like 30s"):
        limit("lock_wait")


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_is_read_as_it_is_written(name: str) -> None:
    written = as_written(name, LIMITS[name].default)
    set_limits([f"{name}={written.replace(',', '')}"])
    assert limit(name) == LIMITS[name].default
