"""Datasets: drop dumps, see what was found in them, open one."""

import streamlit as st

from app.dashboard import cache, found, state
from app.dashboard.components.upload import upload
from app.dashboard.wording import literal
from app.workspace import samples
from store.errors import OverbudgetError

st.html('<p class="ob-head">Datasets</p>')
found.start_jobs(upload("upload"))
found.show_jobs()
names = state.workspace().names()
st.html('<p class="ob-caption">In this workspace</p>')
for name in names:
    try:
        with found.dataset(cache.connection(name), name):
            found.manage(name)
    except OverbudgetError as error:
        st.error(literal(error))
if not names:
    st.info("No dataset yet: drop a dump above.")
missing = [sample.title for sample in samples() if f"sample-{sample.name}" not in names]
if missing:
    st.caption(f"Samples still being made: {', '.join(missing)}.")
