"""The workbench: caps and factors for stages and operations, ready for the replay."""

import pandas as pd
import streamlit as st

from overbudget.analysis.whatif.changes import Change, parse_changes
from overbudget.app.dashboard.view import View
from overbudget.app.dashboard.wording import literal
from overbudget.stages.names import stage_order
from overbudget.store.errors import OverbudgetError


def changes(view: View) -> list[Change]:
    """What the visitor changes: a grid with a row for each stage, and operations by name."""
    table = view.table
    present = [stage for place, stage in enumerate(table.stages) if table.stage_ns[:, place].any()]
    stages = [stage for stage in stage_order(present) if stage != "unattributed"]
    grid = pd.DataFrame({"stage": stages, "takes at most": "", "time multiplied by": ""})
    edited = st.data_editor(
        grid, hide_index=True, disabled=["stage"], key=f"workbench {view.dataset}", alt="Changes of stages"
    )
    with st.expander("Operations: run in parallel, cache, cap, leave out; servers and tokens"):
        parallel = st.text_input("Run in parallel", placeholder="tool a, tool b", key="workbench parallel")
        cached = st.text_input("Cache", placeholder="search=10m", key="workbench cache")
        capped = st.text_input("Cap an operation", placeholder="SELECT docs=60ms", key="workbench cap")
        dropped = st.text_input("Leave out an operation", placeholder="rerank", key="workbench drop")
        servers = st.text_input("How many may run at once", placeholder="SELECT docs=5", key="workbench servers")
        tokens = st.text_input("Tokens of model calls", placeholder="input<=4000", key="workbench tokens")
        retries = st.checkbox("Leave out retries", key="workbench retries")
    caps = [f"{row['stage']}={row['takes at most']}" for _, row in edited.iterrows() if row["takes at most"]]
    factors = [
        f"{row['stage']}={row['time multiplied by']}" for _, row in edited.iterrows() if row["time multiplied by"]
    ]
    try:
        return parse_changes(
            [*caps, *filter(None, [capped])],
            factors,
            [*filter(None, [parallel])],
            [*filter(None, [cached])],
            retries,
            [*filter(None, [dropped])],
            [*filter(None, [servers])],
            [*filter(None, [tokens])],
        )
    except OverbudgetError as error:
        st.error(literal(error))
        return []
