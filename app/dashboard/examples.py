"""Example requests of what was clicked: a table cell, part of a bar, a point of a curve or the heatmap. In the URL."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go_figure
import streamlit as st

from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.requests.table import RequestTable, iso
from overbudget.analysis.review.examples import RequestInfo, around, near, slowest
from overbudget.analysis.review.heatmap import Grid, in_cell
from overbudget.analysis.review.result import Review
from overbudget.analysis.review.rows import FIRST_TOKEN, TOTAL
from overbudget.app.dashboard.sidebar import go, kept, to_url
from overbudget.app.text.words import WHOLE

KEY = "cell"
Rows = npt.NDArray[np.intp]


def choose(choice: str | None, origin: str = "") -> None:
    """From a callback: remember the choice, `STAGE|PERCENTILE`, `about|NS` or `grid|ROW|COLUMN`; None for nothing.

    Charts other than `origin` that still show an earlier choice are drawn again, without it.
    """
    st.session_state[KEY] = choice
    for name, number in _drawn().items():
        shown = st.session_state.get(f"{name} {number}")
        if name != origin and shown and shown["selection"]["points"]:
            _drawn()[name] += 1


def _drawn() -> dict[str, int]:
    """How often each chart was drawn again."""
    found: dict[str, int] = st.session_state.setdefault("charts drawn again", {})
    return found


def chart(figure: go_figure.Figure, name: str, alt: str) -> None:
    """A figure whose marks can be clicked; the last item of a mark's custom data is its choice."""
    key = f"{name} {_drawn().setdefault(name, 0)}"

    def chosen() -> None:
        points = st.session_state[key]["selection"]["points"]
        data = next((point["customdata"] for point in points if point.get("customdata")), None)
        values = list(data.values()) if isinstance(data, dict) else data
        choose(values[-1] if values else None, name)

    config = {"displayModeBar": False}
    st.plotly_chart(figure, config=config, key=key, alt=alt, on_select=chosen, selection_mode="points")


def example_requests(review: Review, table: RequestTable, grid: Grid) -> tuple[str, Rows]:
    """A title for the requests, and their rows: those of the choice, or else the slowest."""
    asked = kept(KEY) or ""
    found = _around(review, table, asked) or _about(table, asked) or _in_grid(table, grid, asked)
    to_url(KEY, asked if found else None)
    return found or ("The slowest requests; choose one to open its waterfall", slowest(table))


def _around(review: Review, table: RequestTable, asked: str) -> tuple[str, Rows] | None:
    stage, _, percentile = asked.rpartition("|")
    if stage not in {TOTAL, FIRST_TOKEN, *(row.stage for row in review.stages)} or percentile not in map(
        str, review.percentiles
    ):
        return None
    return f"Requests around p{percentile} of {WHOLE.get(stage, stage)}", around(table, int(percentile), stage)


def _about(table: RequestTable, asked: str) -> tuple[str, Rows] | None:
    kind, _, ns = asked.partition("|")
    if kind != "about" or not (ns.isdecimal() and len(ns) < 19):
        return None
    return f"Requests that take about {format_duration(int(ns))}", near(table, int(ns))


def _in_grid(table: RequestTable, grid: Grid, asked: str) -> tuple[str, Rows] | None:
    kind, *at = asked.split("|")
    if kind != "grid" or len(at) != 2 or not all(part.isdecimal() and len(part) < 5 for part in at):
        return None
    row, column = map(int, at)
    rows = in_cell(grid, table.start_ns, table.latency_ns, row, column)
    if not len(rows):
        return None
    begin, end = (iso(int(ns))[11:19] for ns in grid.starts_ns[column : column + 2])
    low, high = (format_duration(round(ns)) for ns in grid.latencies_ns[row : row + 2])
    return f"Requests of {low} to {high} that started from {begin} to {end} (UTC)", rows


def request_table(found: Sequence[RequestInfo], key: str) -> None:
    """Requests to choose from; the chosen one opens its waterfall."""
    rows = [
        {
            "latency": format_duration(one.latency_ns),
            "started (UTC)": iso(one.start_ns)[:19].replace("T", " "),
            "route": one.route,
            "largest stage": _largest(one),
            "model": one.model or "",
            "status": one.status_code,
            "trace": one.trace_id,
        }
        for one in found
    ]

    def opened() -> None:
        places = st.session_state[key]["selection"]["rows"]
        if places:
            go("waterfall", trace=found[places[0]].trace_id)

    st.dataframe(
        pd.DataFrame(rows), hide_index=True, on_select=opened, selection_mode="single-row", key=key,
        alt="Requests; choosing one opens its waterfall",
    )  # fmt: skip


def _largest(one: RequestInfo) -> str:
    if not one.stages:
        return ""
    stage, ns = max(one.stages.items(), key=lambda item: item[1])
    return f"{stage} {format_duration(ns)}"
