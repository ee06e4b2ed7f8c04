"""overbudget export-slo: caps and an objective as Prometheus rules."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from overbudget.analysis.budget.caps import cap_of
from overbudget.analysis.budget.file import load_budget
from overbudget.analysis.budget.model import Budget
from overbudget.analysis.requests.read import read_requests
from overbudget.app.commands.whole_file import write_whole
from overbudget.app.text.prometheus import Histogram, Indicator, alerting, prometheus_rules, text_matcher
from overbudget.app.text.words import clean
from overbudget.stages.name_template import template
from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError

LABELS = ("service_name", "span_name", "span_kind", "status_code")
FAILED = "STATUS_CODE_ERROR"
SUFFIXES = {"_milliseconds": "ms", "_seconds": "s"}


@dataclass(frozen=True)
class Entry:
    """An entry span: its route, its name with `*` for ids, its service and (where known) its kind."""

    route: str
    name: str
    service: str
    kind: str | None


def run(
    dataset: Path | None,
    budget_file: Path,
    metric: str,
    first_token_metric: str | None,
    unit: str | None,
    labels: Sequence[str],
    out: Path | None,
) -> None:
    """Print the rules, or write them to `out`."""
    budget = load_budget(budget_file)
    if budget.objective is None:
        raise OverbudgetError(f"{budget_file} has no objective; add [objective] with within = 0.99.")
    if not alerting(budget.objective):
        raise OverbudgetError(f"{budget_file}: the objective's window is too short for alerts; give it 3 days or more.")
    named = _labels(labels)
    entries = _entries(open_dataset(dataset), budget) if dataset else ()
    duration = Histogram(metric, _unit(metric, unit))
    first = Histogram(first_token_metric, _unit(first_token_metric, unit)) if first_token_metric else None
    indicators, remarks = _indicators(budget, entries, duration, first, named)
    if not indicators:
        raise OverbudgetError(f'{budget_file} has no cap on the whole request; add [budget] with p95 = "2s".')
    text = prometheus_rules(budget.objective, indicators, clean(budget_file.name), remarks)
    if out is None:
        print(text, end="")
        return
    write_whole(out, text)
    for remark in remarks:
        print(remark, file=sys.stderr)
    print(f"The rules are in {out}.")


def _unit(metric: str, unit: str | None) -> str:
    told = next((short for suffix, short in SUFFIXES.items() if metric.endswith(suffix)), None)
    if told is None and unit is None:
        raise OverbudgetError(f"The name {clean(metric)} does not say its unit; add --unit ms or --unit s.")
    return told or unit or "ms"


def _labels(given: Sequence[str]) -> Mapping[str, str]:
    found = {name: name for name in LABELS}
    for one in given:
        name, equals, own = one.partition("=")
        if not equals or not own or name not in found:
            raise OverbudgetError(f"--label {clean(one)}: write NAME=OWN, NAME one of {', '.join(LABELS)}.")
        found[name] = own
    return found


def _entries(connection: duckdb.DuckDBPyConnection, budget: Budget) -> tuple[Entry, ...]:
    """The distinct entry spans of the dataset's requests."""
    table = read_requests(connection, budget)
    kinds: dict[tuple[str, str], str] = {}
    if table.entry_span_no is None:
        kinds = {
            (service, name): kind
            for service, name, kind in connection.sql(
                "SELECT s.service_name, s.name, min(s.kind) FROM requests r JOIN spans s USING (trace_id, span_id) "
                "GROUP BY ALL HAVING count(DISTINCT s.kind) = 1"
            ).fetchall()
        }
    names = table.recorded_names()
    seen = sorted(set(zip(table.route.codes.tolist(), names.codes.tolist(), table.service.codes.tolist(), strict=True)))
    found = {
        Entry(
            table.route.names[route],
            _any_id(names.names[name]),
            service_name := table.service.names[service],
            kinds.get((service_name, names.names[name])),
        )
        for route, name, service in seen
        if min(route, name, service) >= 0
    }
    return tuple(sorted(found, key=lambda one: (one.route, one.name, one.service, one.kind or "")))


def _indicators(
    budget: Budget,
    entries: Sequence[Entry],
    duration: Histogram,
    first: Histogram | None,
    labels: Mapping[str, str],
) -> tuple[list[Indicator], list[str]]:
    """What is held to which cap: the routes that have their own, and all others together."""
    remarks = []
    if not entries:
        remarks.append(
            "No dataset was named, so every server span counts as a request: overbudget export-slo DATASET selects entry spans."
        )
    own = {template(route): route for route in budget.routes}
    failed = text_matcher(labels["status_code"], [FAILED], negative=True)
    found: list[Indicator] = []
    for route in [*own, None]:
        held = budget.for_route(own[route]) if route is not None else budget
        here = [one for one in entries if (one.route == route if route is not None else one.route not in own)]
        cap = cap_of(held.caps)
        if cap is None or (entries and not here):
            continue
        named = [] if route is None else [_any_id(route)]
        others = [] if route is not None or entries else [_any_id(name) for name in own]
        series = replace(duration, selectors=_selectors(here, named, others, labels))
        of = "" if route is None else f" of {clean(own[route])}"
        found.append(Indicator(f"total{of}", f"Requests{of}", cap.ns, series, failed))
    cap = cap_of(budget.first_token)
    if cap is not None and first is not None:
        services = sorted({one.service for one in entries})
        matchers = (text_matcher(labels["service_name"], services),) if services else ()
        found.append(Indicator("first token", "First tokens", cap.ns, replace(first, selectors=(matchers,)), ""))
    elif cap is not None:
        remarks.append(
            "The cap on the first token is not here: span metrics do not time it. Where a histogram does, name it with "
            "--first-token-metric."
        )
    if any(one.first_token for one in budget.routes.values()):
        remarks.append("Caps on the first token of single routes are not here.")
    return found, remarks


def _any_id(name: str) -> str:
    """A name's template with `*` for ids."""
    return template(name).replace("{id}", "*")


def _selectors(
    entries: Sequence[Entry], named: Sequence[str], others: Sequence[str], labels: Mapping[str, str]
) -> tuple[tuple[str, ...], ...]:
    """Which series are those of the entry spans.

    A service has a selector for the names that its own requests have: a span named like another service's requests is
    none. Services whose requests have the same names share one.
    """
    if not entries:
        kind = text_matcher(labels["span_kind"], ["SPAN_KIND_SERVER"])
        these = text_matcher(labels["span_name"], named) if named else ""
        left = text_matcher(labels["span_name"], others, negative=True) if others else ""
        return (tuple(filter(None, (kind, these, left))),)
    names: dict[tuple[str, str | None], set[str]] = {}
    for one in entries:
        names.setdefault((one.service, one.kind), set()).add(one.name)
    services: dict[tuple[tuple[str, ...], str | None], list[str]] = {}
    for (service, of_kind), those in names.items():
        services.setdefault((tuple(sorted(those)), of_kind), []).append(service)
    return tuple(
        (
            text_matcher(labels["service_name"], sorted(sharing)),
            text_matcher(labels["span_name"], shared),
            *([text_matcher(labels["span_kind"], [f"SPAN_KIND_{of_kind}"])] if of_kind else []),
        )
        for (shared, of_kind), sharing in services.items()
    )
