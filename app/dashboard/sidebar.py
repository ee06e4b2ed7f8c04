"""What every page begins with: dataset, budget and filters (all in the URL), and the requests that pass them."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import streamlit as st

from overbudget.analysis.common.percentiles import PERCENTILES
from overbudget.analysis.requests.table import Filters, RequestTable
from overbudget.app.dashboard import cache, state
from overbudget.app.dashboard.view import View
from overbudget.app.dashboard.wording import literal
from overbudget.app.server.workspace import sample_of


def view(filtered: bool = True) -> View:
    """What is chosen in the side bar. Where there is no dataset yet, the page says what to do, and stops."""
    dataset = choose_dataset()
    budget = state.budget_of(dataset)
    evidence = cache.evidence(dataset, budget)
    filters = _filters(evidence.requests) if filtered else Filters()
    with st.sidebar.expander("Budget file"):
        state.budget_file(dataset)
    return View(dataset, cache.connection(dataset), budget, filters, evidence, cache.selected(dataset, budget, filters))


def choose_dataset() -> str:
    """The dataset chosen in the side bar, kept in the URL."""
    names = state.workspace().names()
    if not names:
        st.info("There is no dataset yet. Drop a trace dump on the Datasets page to see where its latency goes.")
        st.page_link("views/datasets.py", label="Go to Datasets")
        st.stop()
    asked = kept("dataset")
    if asked not in names:
        first = next(filter(cache.is_readable, names), names[0])
        if asked is not None:
            st.warning(
                f"There is no dataset {literal(repr(asked))} in this workspace; showing {literal(first)} instead."
            )
        asked = first
    st.session_state["dataset"] = asked
    chosen = st.sidebar.selectbox(
        "Dataset", names, format_func=label, key="dataset", persist_state="session", on_change=forget
    )
    to_url("dataset", chosen)
    return str(chosen)


def forget() -> None:
    """Clear the choices that belong to one dataset: another one has other routes and traces."""
    for name in ("route", "trace", "cell", "operation", "attribute", *_MORE):
        st.session_state[name] = None


def label(name: str) -> str:
    """The name that a dataset is shown by."""
    sample = sample_of(name)
    return f"Sample: {sample.title}" if sample else name


def _filters(table: RequestTable) -> Filters:
    route = _one("Route", "route", table.route.names)
    with st.sidebar.expander("More filters", expanded=any(kept(name) for name in _MORE)):
        service = _one("Service of the request", "service", table.service.names)
        model = _one("Model", "model", table.model.names)
        status = _one("Status", "status", table.status.names)
        version = _one("Version of the service", "version", table.version.names)
        environment = _one("Environment", "environment", table.environment.names)
        start, end = _window(table)
    return Filters(
        route=route,
        service=service,
        model=model,
        status=status,
        start=start,
        end=end,
        version=version,
        environment=environment,
    )


_MORE = ("service", "model", "status", "version", "environment", "from", "until")


def _one(title: str, name: str, names: tuple[str, ...]) -> str | None:
    """One of `names`, or None for all; kept in the URL, and from page to page."""
    asked = kept(name)
    if len(names) < 2 and asked is None:
        return None
    st.session_state[name] = asked if asked in names else None
    choice = st.selectbox if name != "route" else st.sidebar.selectbox
    chosen = choice(title, sorted(names), None, key=name, persist_state="session", placeholder="all")
    to_url(name, chosen)
    return chosen


def kept(name: str) -> str | None:
    """What was chosen before, on this page or another one, or else in the link that was opened.

    Streamlit's own binding of widgets to the URL would lose it: going to another page clears the URL.
    """
    value = st.session_state[name] if name in st.session_state else st.query_params.get(name)
    return None if value is None else str(value)


def to_url(name: str, value: object) -> None:
    """Put a choice into the URL; None removes it."""
    if value is None:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = str(value)


def _window(table: RequestTable) -> tuple[datetime | None, datetime | None]:
    """The time window; None at an end that was not moved. A step is a fortieth of the dataset's time."""
    if len(table) < 2:
        return None, None
    first, last = (datetime.fromtimestamp(int(ns) / 1e9, UTC) for ns in (table.start_ns.min(), table.start_ns.max()))
    step = max(timedelta(seconds=1), (last - first) / 40)
    marks = [first + step * number for number in range(41)]
    texts = [f"{mark:%Y-%m-%d %H:%M:%S}" for mark in marks]
    start, end = (_one(title, name, tuple(texts)) for title, name in (("From (UTC)", "from"), ("Until (UTC)", "until")))
    at = [marks[texts.index(text)] if text else None for text in (start, end)]
    return at[0], at[1]


def percentile(default: int = 95, least: int = 50) -> int:
    """The selected percentile, kept in the URL."""
    choices = [p for p in PERCENTILES if p >= least]
    asked = kept("percentile") or ""
    st.session_state["percentile"] = int(asked) if asked in map(str, choices) else default
    found = st.segmented_control(
        "Percentile", choices, format_func=lambda p: f"p{p}", key="percentile", persist_state="session",
        required=True, label_visibility="collapsed",
    )  # fmt: skip
    to_url("percentile", found)
    return int(found or default)


def one_of(name: str, choices: Sequence[str], usual: str | None = None) -> str:
    """The selected view of a page, the `usual` one (the first) unless another is chosen; kept in the URL."""
    usual = choices[0] if usual is None else usual
    asked = kept(name)
    st.session_state[name] = asked if asked in choices else usual
    chosen = st.segmented_control(
        name,
        choices,
        key=name,
        format_func=literal,
        persist_state="session",
        required=True,
        label_visibility="collapsed",
    )
    to_url(name, chosen if chosen != usual else None)
    return str(chosen or usual)


def go(page: str, **choices: str | int | None) -> None:
    """From a callback: show another page with these choices."""
    for name, value in choices.items():
        st.session_state[name] = value
    st.session_state["go"] = page


def going(page: str, name: str) -> Callable[[str], None]:
    """A callback that shows `page` with what was clicked as its choice `name`."""
    return lambda choice: go(page, **{name: choice})


def follow() -> None:
    """Show the page that a callback asked for."""
    if page := st.session_state.pop("go", None):
        st.switch_page(f"views/{page}.py")


def asks_for_trace() -> bool:
    """Whether a trace was chosen, or is in the URL."""
    st.session_state["trace"] = kept("trace")
    return bool(st.session_state["trace"])


def trace_id() -> str:
    """The trace id written in the side bar, kept in the URL."""
    asked = str(st.sidebar.text_input("Trace id, or its first characters", key="trace", persist_state="session") or "")
    to_url("trace", asked)
    return asked
