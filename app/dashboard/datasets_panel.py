"""Uploads that are being read, and what a dataset holds."""

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import streamlit as st
from streamlit.elements.lib.mutable_expander_container import ExpanderContainer

from overbudget.app.dashboard.access import allowed
from overbudget.app.dashboard.sidebar import forget, go
from overbudget.app.dashboard.state import workspace
from overbudget.app.dashboard.wording import literal
from overbudget.app.server.jobs import CANCELLED, STOPPING, WAITING, Job, Jobs, jobs_of
from overbudget.app.server.listing import Summary
from overbudget.app.server.workspace import Workspace, sample_of
from overbudget.app.text.words import count
from overbudget.ingest.warnings import WARNINGS
from overbudget.store.dataset import damage
from overbudget.store.errors import OverbudgetError


def _jobs() -> Jobs:
    return jobs_of(workspace().folder)


@st.fragment(run_every=0.5)
def _running() -> None:
    """Progress, twice a second; when one has ended the whole page is drawn again."""
    jobs = _jobs()
    busy = [job for job in jobs.all() if not job.ended]
    for job in reversed(busy):
        if job.state == WAITING:
            st.progress(0.0, f"{literal(job.name)} waits to be read")
        elif job.state == STOPPING:
            st.progress(0.0, f"Stopping to read {literal(job.name)}")
        else:
            st.progress(*_progress(job.name, job.progress()))
        if allowed("upload") and job.state != STOPPING:
            st.button("Cancel", key=f"cancel {job.id}", on_click=jobs.cancel, args=(job.id,))
    before, now = st.session_state.get("jobs busy", set()), {job.id for job in busy}
    st.session_state["jobs busy"] = now
    if before - now:
        st.rerun()


def _progress(name: str, report: dict[str, Any]) -> tuple[float, str]:
    """How far the reading of a dump is, by bytes, and that in words."""
    if not report:
        return 0.0, f"Beginning to read {literal(name)}"
    read, total, spans = (
        report["bytes_read"],
        report["bytes_total"] or report["bytes_read"],
        f"{report['spans']:,} spans",
    )
    if report["phase"] == "waiting":
        return 0.0, f"{literal(name)} waits for another process that writes this dataset"
    if report["phase"] != "reading":
        return 1.0, f"Working out critical paths of {literal(name)}: {spans}"
    return min(
        1.0, read / max(1, total)
    ), f"Reading {literal(name)}: {read / 1e6:,.1f} of {total / 1e6:,.1f} MB, {spans}"


def redaction() -> None:
    """What of a dump this server does not keep, where it was told so."""
    options = _jobs().options
    left_out = ["prompts, answers and arguments"] * ("--no-content" in options) + ["what its [redact] names"] * (
        "--budget" in options
    )
    if left_out:
        st.caption(
            f"Of a dump that is dropped here this server does not keep {' and '.join(left_out)}.".replace("[", "\\[")
        )


def show_jobs() -> None:
    """Progress of what is being read, whoever sent it, then what came of it."""
    jobs = _jobs()
    if not all(job.ended for job in jobs.all()):
        _running()
    for job in jobs.all():
        if job.ended:
            _outcome(job)


def _outcome(job: Job) -> None:
    """What came of a dump, and what to do next."""
    if job.state == CANCELLED:
        st.info(f"{literal(job.name)}: cancelled.")
    elif job.result is None:
        st.error(literal(f"{job.name}: {job.error}"))
    else:
        result = job.result
        st.success(f"{literal(job.name)}: {count(result['spans'], 'span')} in {count(result['requests'], 'request')}.")
    row = st.container(horizontal=True)
    if job.result is not None:
        made = Path(job.result["dataset"]).stem
        row.button("Open the review", key=f"open {job.id}", type="primary", on_click=open_review, args=(made,))
    if allowed("upload"):
        row.button("Dismiss", key=f"dismiss {job.id}", on_click=_jobs().forget, args=(job.id,))


def open_review(name: str) -> None:
    """From a callback: show the review of a dataset."""
    forget()
    go("review", dataset=name)


def title(name: str) -> str:
    sample = sample_of(name)
    return f"Sample: {sample.title}" if sample else name


def dataset(found: Summary, name: str) -> ExpanderContainer:
    """What a dataset is, a button that opens it, and an expander, which is returned for its files and what can be done with it."""
    sample, odd = sample_of(name), found.warnings
    size = f"{count(found.spans, 'span')} in {count(found.requests, 'request')}" + (
        f", {count(odd, 'kind')} of warning" if odd else ""
    )
    left, right = st.columns([5, 1], vertical_alignment="center")
    story = f"{escape(sample.story)} " if sample else ""
    left.html(f'<p class="ob-part">{escape(title(name))}</p><p class="ob-note">{story}{escape(size)}.</p>')
    right.button("Open", key=f"review {name}", on_click=open_review, args=(name,), width="stretch")
    label = f"Files and warnings; {'rename, merge, delete, ' if allowed('admin') else ''}download"
    return st.expander(label, key=f"fold {name}", on_change="rerun")


def files(connection: duckdb.DuckDBPyConnection) -> None:
    """The files of a dataset, and every warning with what it means."""
    columns = "source, format, bytes, spans, requests, duplicates, rejected"
    rows = connection.execute(f"SELECT {columns}, warnings FROM ingest_report ORDER BY source_id").fetchall()
    table = pd.DataFrame([row[:-1] for row in rows], columns=columns.split(", "))
    table["source"] = [source.rsplit("/", 1)[-1] for source in table["source"]]
    st.dataframe(table, hide_index=True)
    for row in rows:
        for warning in row[-1]:
            said = WARNINGS.get(warning["code"])
            st.text(
                f"{warning['code']} × {warning['count']:,}: {said.means if said else ''} {said.remedy if said else ''}".strip()
            )
            st.caption(f"For example: {literal(warning['example'])}")


def unreadable(name: str, error: OverbudgetError | duckdb.Error) -> None:
    """A dataset that cannot be read: why, what to do, and a button that deletes it."""
    said = str(error) if isinstance(error, OverbudgetError) else damage(error)
    if said is None:
        raise error
    st.html(f'<p class="ob-part">{escape(title(name))}</p>')
    st.error(literal(said.replace(str(workspace().folder) + "/", "")))
    if not allowed("admin"):
        return
    with st.expander(f"Delete {literal(name)}"):
        _refused(name)
        _delete(name)


def _refused(name: str) -> None:
    """What became of the last thing that was tried with a dataset, if it was refused."""
    if said := st.session_state.pop(f"said of {name}", None):
        st.error(literal(said))


def _delete(name: str) -> None:
    sure = st.checkbox("Delete permanently", key=f"sure {name}")
    st.button("Delete", key=f"delete {name}", on_click=_try, args=(name, workspace().delete, name), disabled=not sure)


def manage(name: str) -> None:
    """Rename, merge, delete, which only an administrator may, and download."""
    place = workspace()
    if allowed("admin"):
        _change(name, place)
    st.download_button(
        "Download as Parquet", lambda: place.parquet(name), f"{name}.zip", "application/zip", key=f"parquet {name}", on_click="ignore"
    )  # fmt: skip


def _change(name: str, place: Workspace) -> None:
    _refused(name)
    left, middle, right = st.columns(3)
    with left:
        wanted = st.text_input("New name", key=f"new name {name}")
        st.button(
            "Rename", key=f"rename {name}", on_click=_try, args=(name, place.rename, name, wanted), disabled=not wanted
        )
    with middle:
        others = [other for other in place.names() if other != name]
        other = st.selectbox(
            "Merge with", others, None, key=f"merge {name}", placeholder="another dataset", format_func=title
        )
        st.button(
            "Merge", key=f"do merge {name}", on_click=_try, args=(name, place.merge, name, other), disabled=not other
        )
    with right:
        _delete(name)


def _try(name: str, act: Callable[..., object], *arguments: object) -> None:
    """From a callback: call `act`, or show next to the dataset why it failed."""
    try:
        act(*arguments)
    except OverbudgetError as error:
        st.session_state[f"said of {name}"] = str(error)
