"""Datasets: drop dumps, see what was found in them, open one."""

import os

import duckdb
import streamlit as st

from overbudget.app.dashboard import cache, datasets_panel, state
from overbudget.app.dashboard.access import allowed
from overbudget.app.dashboard.components.upload import upload
from overbudget.app.server.listing import listing_of
from overbudget.app.server.workspace import samples
from overbudget.store.errors import OverbudgetError

st.html('<p class="ob-head">Datasets</p>')
if allowed("upload"):
    upload("upload")
    datasets_panel.redaction()
datasets_panel.show_jobs()
place = state.workspace()
listing, names = listing_of(place.folder), place.names()
st.html('<p class="ob-caption">In this workspace</p>')
for name in names:
    try:
        fold = datasets_panel.dataset(listing.summary(place.path(name)), name)
        if fold.open:  # what is folded away is read when it is opened
            with fold:
                datasets_panel.files(cache.connection(name))
                datasets_panel.manage(name)
    except (OverbudgetError, duckdb.Error) as error:
        datasets_panel.unreadable(name, error)
if not names:
    st.info("No dataset yet: drop a dump above.")
missing = [sample.title for sample in samples() if f"sample-{sample.name}" not in names]
if missing and os.access(state.workspace().folder, os.W_OK):
    st.caption(f"Samples still being made: {', '.join(missing)}.")
