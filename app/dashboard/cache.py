"""What is kept between clicks, for all visitors: one connection per dataset file, and answers by what they depend on."""

import json
import os
from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import duckdb
import streamlit as st

from overbudget.analysis.budget.model import Budget
from overbudget.analysis.requests.table import Filters, RequestTable
from overbudget.analysis.review.evidence import Evidence
from overbudget.analysis.review.measure import Measured
from overbudget.analysis.review.review import Review, judge, measure, read_evidence
from overbudget.analysis.whatif.replay_input import ReplayInput, read_replay_input
from overbudget.analysis.whatif.whatif import Workbench
from overbudget.app.dashboard.shared import Shared
from overbudget.app.dashboard.state import workspace
from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError
from overbudget.store.limits import limit

if TYPE_CHECKING:
    from overbudget.app.dashboard.view import View

Result = TypeVar("Result")


class Version(NamedTuple):
    """A dataset as it is now: one that is written anew is another version."""

    path: str
    modified_ns: int
    size: int
    inode: int


@cache
def shared() -> Shared:
    """The answers of this server."""
    return Shared(limit("cache_bytes"))


@st.cache_resource(max_entries=8, show_spinner=False)
def _owner(version: Version) -> duckdb.DuckDBPyConnection:
    return open_dataset(version.path)


def connection(dataset: str) -> duckdb.DuckDBPyConnection:
    """A cursor on the dataset's one connection; a dataset that was replaced is opened again."""
    return _owner(_version(dataset)).cursor()


def is_readable(dataset: str) -> bool:
    """Whether a dataset opens: one that is damaged or of another version does not."""
    try:
        connection(dataset).close()
    except OverbudgetError:
        return False
    return True


def _version(dataset: str) -> Version:
    path = workspace().path(dataset)
    try:
        found = os.stat(path)
    except OSError as error:
        raise OverbudgetError(f"The dataset {dataset!r} cannot be read: {error.strerror or error}.") from error
    return Version(str(path), found.st_mtime_ns, found.st_size, found.st_ino)


def evidence(dataset: str, budget: Budget | None) -> Evidence:
    """What was read from a dataset, under the rules of the budget."""
    version, rules = _version(dataset), _rules(budget)

    def read() -> Evidence:
        found = read_evidence(_owner(version).cursor(), budget)
        if found.spending is None:
            return found
        spending = found.spending  # large, and read when it is first needed: an answer of its own
        return replace(found, spending=lambda: shared().get(("spending", version, rules), spending))

    return shared().get(("evidence", version, rules), read)


def selected(dataset: str, budget: Budget | None, filters: Filters) -> RequestTable:
    """The complete requests that pass the filters."""
    every = evidence(dataset, budget)
    key = ("selected", _version(dataset), _rules(budget), filters)
    return shared().get(key, lambda: every.requests.select(filters), [every])


def reviewed(dataset: str, budget: Budget | None, filters: Filters) -> Review:
    """The review; changing a cap repeats no measurement."""
    measured = _measured(dataset, budget, filters)
    key = ("review", _version(dataset), _caps(budget), filters)
    return shared().get(key, lambda: judge(measured, budget), [measured])


def _measured(dataset: str, budget: Budget | None, filters: Filters) -> Measured:
    every = evidence(dataset, budget)
    routes = tuple(budget.routes) if budget else ()
    apart = budget is not None and budget.failures_apart
    key = ("measured", _version(dataset), _rules(budget), filters, routes, apart)
    return shared().get(key, lambda: measure(every, filters, routes=routes, failures_apart=apart), [every])


def ask(
    name: str, view: "View", ask: Callable[[], Result], *rest: Hashable, also: str = "", capped: bool = True
) -> Result:
    """The answer that `ask` returns, kept while the dataset, the budget, the filters and `rest` are the same.

    `name` is the question's; `also` is another dataset that the answer depends on; `capped` says whether it depends on
    the budget's caps, or only on its rules.
    """
    versions = tuple(_version(dataset) for dataset in (view.dataset, also) if dataset)
    held_to = _caps(view.budget) if capped else _rules(view.budget)
    return shared().get((name, versions, held_to, view.filters, rest), ask, [view.evidence, view.table])


def _caps(budget: Budget | None) -> str:
    """All of a budget."""
    return json.dumps(budget.as_read, default=str) if budget else ""


def _rules(budget: Budget | None) -> str:
    """The part of a budget by which a dataset is read, whatever its caps."""
    return repr(budget.reading) if budget else ""


def workbench(view: "View") -> Workbench:
    """The requests of a view, ready to be replayed."""
    version, rules, budget = _version(view.dataset), _rules(view.budget), view.budget

    def read() -> ReplayInput:
        return read_replay_input(_owner(version).cursor(), budget)

    replayed = shared().get(("replay input", version, rules), read)
    key = ("workbench", version, rules, view.filters)
    return shared().get(key, lambda: Workbench(_owner(version).cursor(), budget, view.filters, replayed), [replayed])
