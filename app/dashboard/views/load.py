"""Does it stay fast under load, and is it predictable?"""

import streamlit as st

from overbudget.analysis.consistency.consistency import consistency_of
from overbudget.analysis.load.load import load_of
from overbudget.app.charts.spread import spread_figure
from overbudget.app.charts.under_load import goodput_figure, stages_under_load_figure, under_load_figure
from overbudget.app.dashboard import blocks, cache, sidebar, spreads
from overbudget.app.text.consistency import sentences as consistency_sentences
from overbudget.app.text.load import good_requests
from overbudget.app.text.load import sentences as load_sentences

view = sidebar.view()
everyone = view.evidence.requests
sampled = view.evidence.facts.sampled or ""
found = cache.ask("load", view, lambda: load_of(view.connection, everyone, view.budget, view.filters, sampled))
blocks.say(load_sentences(found), "load")
in_flight, arrivals = "other requests in flight on arrival", "arrivals per second"
name = sidebar.one_of("load", (in_flight, arrivals))
bins = found.bins if name == in_flight else found.arrivals
left, right = st.columns(2)
with left:
    blocks.caption("Latency with its 95 % interval; dotted: the cap on p95")
    figure = cache.ask("under load", view, lambda: under_load_figure(bins, found.budget_ns, name), name)
    blocks.chart(figure, "under load", "p50 and p95 against load")
with right:
    blocks.caption("What a request is made of under that load")
    figure = cache.ask("stages under load", view, lambda: stages_under_load_figure(bins, name), name)
    blocks.chart(figure, "stages under load", "Mean stage times against load")
    blocks.stage_key(part["stage"] for one in bins for part in one.stages if part["mean_ns"])
if any(one.goodput for one in found.bins):
    blocks.caption(f"Goodput: requests a second {good_requests(found)}")
    blocks.chart(
        goodput_figure(found.bins, "other requests in flight"), "goodput", "Good answers a second against load"
    )
steady = cache.ask("consistency", view, lambda: consistency_of(view.connection, view.table, view.budget))
blocks.say(consistency_sentences(steady), "consistency")
if steady.total is not None:
    blocks.caption("From the median (dot) to p95 (thick) and p99 (thin); red: the cap")
    stages = (steady.total, *steady.stages)
    blocks.chart(cache.ask("spread", view, lambda: spread_figure(stages)), "spread", "Spread of each stage")
    spreads.spreads("Stages", stages)
    spreads.spreads("Models", steady.models)
    spreads.side_by_side(steady.side_by_side)
    spreads.models(steady.models)
    spreads.tokens(steady.tokens)
    spreads.spreads("Routes", steady.routes if len(steady.routes) > 1 else ())
    spreads.spreads("Hours (UTC)", steady.hours if len(steady.hours) > 1 else ())
