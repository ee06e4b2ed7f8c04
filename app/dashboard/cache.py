"""What is kept between reruns: one connection per dataset file, and measurements that do not depend on caps."""

import os
from typing import Any

import duckdb
import streamlit as st

from analysis.budget import Budget
from analysis.measure import Evidence, Measured
from analysis.requests import Filters
from analysis.review import Review, judge, measure, read_evidence
from app.dashboard.state import workspace
from store.dataset import open_dataset


@st.cache_resource(max_entries=8, show_spinner=False)
def _owner(path: str, modified: int) -> duckdb.DuckDBPyConnection:
    return open_dataset(path)


def connection(dataset: str) -> duckdb.DuckDBPyConnection:
    """A cursor on the dataset's one connection; a dataset that was replaced is opened anew."""
    return _owner(*_version(dataset)).cursor()


def _version(dataset: str) -> tuple[str, int]:
    path = workspace().path(dataset)
    return str(path), os.stat(path).st_mtime_ns


@st.cache_resource(max_entries=8, show_spinner=False)
def _evidence(version: tuple[str, int], reading: Any, _budget: Budget | None) -> Evidence:
    return read_evidence(_owner(*version).cursor(), _budget)


@st.cache_resource(max_entries=32, show_spinner=False)
def _measured(
    version: tuple[str, int], reading: Any, filters: Filters, routes: tuple[str, ...], _budget: Budget | None
) -> Measured:
    return measure(_evidence(version, reading, _budget), filters, routes=routes)


def evidence(dataset: str, budget: Budget | None) -> Evidence:
    """What was read of a dataset, by the rules of the budget."""
    return _evidence(_version(dataset), budget.reading if budget else None, budget)


def reviewed(dataset: str, budget: Budget | None, filters: Filters) -> Review:
    """The review; a changed cap measures nothing anew."""
    reading = budget.reading if budget else None
    routes = tuple(budget.routes) if budget else ()
    return judge(_measured(_version(dataset), reading, filters, routes, budget), budget)
