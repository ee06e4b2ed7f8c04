"""What is kept between reruns: one connection per dataset file, and measurements that do not depend on caps."""

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb
import streamlit as st

from overbudget.analysis.budget.model import Budget
from overbudget.analysis.requests.table import Filters, RequestTable
from overbudget.analysis.review.measure import Evidence, Measured
from overbudget.analysis.review.review import Review, judge, measure, read_evidence
from overbudget.analysis.whatif.replay_input import ReplayInput, read_replay_input
from overbudget.analysis.whatif.whatif import Workbench
from overbudget.app.dashboard.state import workspace
from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError

if TYPE_CHECKING:
    from overbudget.app.dashboard.view import View

Result = TypeVar("Result")


@st.cache_resource(max_entries=8, show_spinner=False)
def _owner(path: str, modified: int) -> duckdb.DuckDBPyConnection:
    return open_dataset(path)


def connection(dataset: str) -> duckdb.DuckDBPyConnection:
    """A cursor on the dataset's one connection; a dataset that was replaced is opened again."""
    return _owner(*_version(dataset)).cursor()


def is_readable(dataset: str) -> bool:
    """Whether a dataset opens: one that is damaged or of another version does not."""
    try:
        connection(dataset).close()
    except OverbudgetError:
        return False
    return True


def _version(dataset: str) -> tuple[str, int]:
    path = workspace().path(dataset)
    try:
        return str(path), os.stat(path).st_mtime_ns
    except OSError as error:
        raise OverbudgetError(f"The dataset {dataset!r} cannot be read: {error.strerror or error}.") from error


@st.cache_resource(max_entries=8, show_spinner=False)
def _evidence(version: tuple[str, int], reading: Any, _budget: Budget | None) -> Evidence:
    return read_evidence(_owner(*version).cursor(), _budget)


@st.cache_resource(max_entries=32, show_spinner=False)
def _measured(
    version: tuple[str, int],
    reading: Any,
    filters: Filters,
    routes: tuple[str, ...],
    apart: bool,
    _budget: Budget | None,
) -> Measured:
    return measure(_evidence(version, reading, _budget), filters, routes=routes, failures_apart=apart)


def evidence(dataset: str, budget: Budget | None) -> Evidence:
    """What was read from a dataset, under the rules of the budget."""
    return _evidence(_version(dataset), budget.reading if budget else None, budget)


def reviewed(dataset: str, budget: Budget | None, filters: Filters) -> Review:
    """The review; changing a cap repeats no measurement."""
    reading = budget.reading if budget else None
    routes = tuple(budget.routes) if budget else ()
    apart = budget is not None and budget.failures_apart
    return judge(_measured(_version(dataset), reading, filters, routes, apart, budget), budget)


@st.cache_resource(max_entries=32, show_spinner=False)
def _selected(version: tuple[str, int], reading: Any, filters: Filters, _budget: Budget | None) -> RequestTable:
    return _evidence(version, reading, _budget).requests.select(filters)


def selected(dataset: str, budget: Budget | None, filters: Filters) -> RequestTable:
    """The complete requests that pass the filters."""
    return _selected(_version(dataset), budget.reading if budget else None, filters, budget)


@st.cache_resource(max_entries=64, show_spinner=False)
def _asked(name: str, versions: tuple[tuple[str, int], ...], budget: str, rest: Any, _ask: Callable[[], Any]) -> Any:
    return _ask()


def ask(name: str, view: "View", ask: Callable[[], Result], *rest: Any, also: str = "", capped: bool = True) -> Result:
    """The answer that `ask` returns, cached while the dataset, the budget, the filters and `rest` are the same.

    `name` is the question's; `also` is another dataset that the answer depends on; `capped` says whether it depends on
    the budget's caps, or only on its rules.
    """
    versions = tuple(_version(dataset) for dataset in (view.dataset, also) if dataset)
    return _asked(name, versions, _held_to(view, capped), (view.filters, rest), ask)


def _held_to(view: "View", capped: bool) -> str:
    """The part of the budget that an answer depends on."""
    if view.budget is None:
        return ""
    return json.dumps(view.budget.as_read, default=str) if capped else repr(view.budget.reading)


@st.cache_resource(max_entries=2, show_spinner=False)
def _ground(version: tuple[str, int], reading: str, _budget: Budget | None) -> ReplayInput:
    return read_replay_input(_owner(*version).cursor(), _budget)


@st.cache_resource(max_entries=3, show_spinner=False)
def _bench(version: tuple[str, int], reading: str, filters: Filters, _budget: Budget | None) -> Workbench:
    return Workbench(_owner(*version).cursor(), _budget, filters, _ground(version, reading, _budget))


def workbench(view: "View") -> Workbench:
    """The requests of a view, ready to be replayed. Large, so few are cached."""
    return _bench(_version(view.dataset), _held_to(view, capped=False), view.filters, view.budget)
