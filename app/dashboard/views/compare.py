"""What changed between two datasets, or two parts of one, and which service accounts for it."""

import streamlit as st

from overbudget.analysis.compare.compare import compare
from overbudget.app.dashboard import blocks, cache, comparison, sidebar
from overbudget.app.text.compare import sentences

view = sidebar.view(filtered=False)
base, candidate, other = comparison.sides(view)
before, now = (comparison.side(view, *chosen) for chosen in (base, candidate))
found = cache.ask("compare", view, lambda: compare(before, now, view.budget), base, candidate, also=other)
blocks.say(sentences(found), "compare")
blocks.caption(
    "Change at each percentile, with the interval where it decides the verdict; the mix of routes is held fixed"
)
comparison.changes(found)
left, right = st.columns(2)
with left:
    blocks.caption("Services: own time and the hops charged to them, per request")
    comparison.services(found)
with right:
    blocks.caption("Operations, per request")
    comparison.operations(found)
for column, side, name in zip(st.columns(2), (base, candidate), ("base", "candidate"), strict=True):
    with column:
        blocks.caption(f"Critical path of the {name}, all its requests together")
        figure = comparison.path_figure(view, side, name)
        blocks.chart(figure, f"path of {name}", f"Aggregated critical path of the {name}")
