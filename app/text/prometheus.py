"""Caps and an objective as Prometheus rules on the span metrics of the OpenTelemetry collector, as YAML text.

An alert fires where the error budget is spent fast over a long window and still over a short one, so that it ends soon after
the cause does (multi-window, multi-burn-rate alerts: B. Beyer and others, "The Site Reliability Workbook", chapter 5).
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from overbudget.analysis.budget.caps import MAIN_PERCENTILE
from overbudget.analysis.budget.objective import UNITS, Objective, window_literal
from overbudget.analysis.common.durations import MS, S, duration_literal

UNIT_NS = {"ms": MS, "s": S}
RATIO = "overbudget:bad_requests:ratio_rate"


@dataclass(frozen=True)
class Alert:
    """An alert where `spends` of the whole window's error budget would be gone after `long`; `short` tells that it goes on."""

    long: str
    short: str
    spends: float
    severity: str


ALERTS = (
    Alert("1h", "5m", 0.02, "page"),
    Alert("6h", "30m", 0.05, "page"),
    Alert("3d", "6h", 0.10, "ticket"),
)


@dataclass(frozen=True)
class Histogram:
    """A histogram in Prometheus: its name without `_bucket`, its unit (`ms` or `s`), and which of its series count.

    Those count to which all matchers of any of the selectors apply; a selector without matchers takes all.
    """

    metric: str
    unit: str
    selectors: tuple[tuple[str, ...], ...] = ((),)


@dataclass(frozen=True)
class Indicator:
    """What is held to a cap: `name` is the value of the label `objective`, `what` says it in words."""

    name: str
    what: str
    cap_ns: int
    histogram: Histogram
    failed: str  # the matcher that leaves failed requests out; "" where the histogram does not tell them


def prometheus_rules(
    objective: Objective, indicators: Sequence[Indicator], source: str, remarks: Sequence[str] = ()
) -> str:
    """Recording and alerting rules for the share of requests of each indicator that fail or are over its cap."""
    alerts = [alert for alert in ALERTS if _raw_factor(alert, objective) >= 0.9]
    lines = [*_head(objective, indicators, source, remarks, alerts), "groups:"]
    for indicator in indicators:
        lines += [f"  - name: {_quoted(f'overbudget {indicator.name}')}", "    rules:"]
        for window in dict.fromkeys(window for alert in alerts for window in (alert.short, alert.long)):
            lines += _recorded(indicator, window)
        for alert in alerts:
            lines += _alert(indicator, objective, alert)
        lines += _missing(indicator)
    return "\n".join(lines) + "\n"


def alerting(objective: Objective) -> bool:
    """Whether the objective's window is long enough for any alert by burn rate."""
    return any(_raw_factor(alert, objective) >= 0.9 for alert in ALERTS)


def threshold(alert: Alert, objective: Objective) -> float:
    """The share of bad requests above which an alert fires.

    The allowed share times the burn rate that spends `alert.spends` of the error budget in the long window; at least the
    allowed share itself, and at most nine tenths of the way from there to all requests, so that an outage always fires.
    """
    factor = max(1.0, _raw_factor(alert, objective))
    return min(factor * objective.allowed, objective.allowed + 0.9 * objective.within)


def bound(cap_ns: int, unit: str) -> str:
    """A cap as the bound of a bucket in that unit: `2000`, `0.4`."""
    return f"{cap_ns / UNIT_NS[unit]:.15f}".rstrip("0").rstrip(".")


def text_matcher(label: str, values: Sequence[str], negative: bool = False) -> str:
    """A matcher of a label: equal to the one value, or one of several; `*` in a value stands for any text."""
    if len(values) == 1 and "*" not in values[0]:
        return f"{label}{'!=' if negative else '='}{json.dumps(values[0], ensure_ascii=False)}"
    pattern = "|".join(".+".join(map(_escaped, value.split("*"))) for value in sorted(set(values)))
    return f"{label}{'!~' if negative else '=~'}{json.dumps(pattern, ensure_ascii=False)}"


def _escaped(text: str) -> str:
    return re.sub(
        r"[.+?()\[\]{}|^$\\*]", lambda found: f"[{found[0]}]" if found[0] not in "^\\" else f"\\{found[0]}", text
    )


def _raw_factor(alert: Alert, objective: Objective) -> float:
    long_ns = int(alert.long[:-1]) * UNITS[alert.long[-1]]
    return alert.spends * objective.window_ns / long_ns


def _bucket_matcher(indicator: Indicator) -> str:
    """The label `le` of the cap, as any version of Prometheus writes it: 2000, 2000.0, 1e+06."""
    plain = bound(indicator.cap_ns, indicator.histogram.unit)
    forms = [plain.replace(".", "[.]") if "." in plain else f"{plain}([.]0)?"]
    if float(plain) >= 1e6:
        mantissa, exponent = f"{float(plain):.15e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".").replace(".", "[.]")
        forms.append(f"{mantissa}e[+]{int(exponent):02d}")
    return f'le=~"{"|".join(forms)}"'


def _rates(indicator: Indicator, suffix: str, window: str, *more: str) -> str:
    """The rates of the series that count; one that several selectors take is there once, as `or` has it."""
    return " or ".join(
        f"rate({indicator.histogram.metric}_{suffix}{{{', '.join([*matchers, *filter(None, more)])}}}[{window}])"
        for matchers in indicator.histogram.selectors
    )


def _recorded(indicator: Indicator, window: str) -> list[str]:
    bucket = _bucket_matcher(indicator)
    good = _rates(indicator, "bucket", window, indicator.failed, bucket)
    any_at_cap, everyone = _rates(indicator, "bucket", window, bucket), _rates(indicator, "count", window)
    expression = ["1 - (", f"  sum({good})", f"  or 0 * sum({any_at_cap})", f") / sum({everyone})"]
    return [
        f"      - record: {RATIO}{window}",
        "        expr: |-",
        *(f"          {line}" for line in expression),
        "        labels:",
        f"          objective: {_quoted(indicator.name)}",
    ]


def _alert(indicator: Indicator, objective: Objective, alert: Alert) -> list[str]:
    above = f"{threshold(alert, objective):.6g}"
    selector = f"{{objective={json.dumps(indicator.name, ensure_ascii=False)}}}"
    summary = f"{indicator.what}: the error budget is being spent too fast"
    description = (
        f"{{{{ $value | humanizePercentage }}}} of requests failed or took longer than {duration_literal(indicator.cap_ns)} "
        f"over the last {alert.long}; {100 * objective.allowed:.10g}% may over {window_literal(objective.window_ns)}."
    )
    return [
        "      - alert: OverbudgetErrorBudgetBurn",
        "        expr: |-",
        f"          {RATIO}{alert.long}{selector} > {above}",
        f"          and {RATIO}{alert.short}{selector} > {above}",
        "        labels:",
        f"          severity: {alert.severity}",
        f"          window: {alert.long}",
        f"          objective: {_literal(indicator.name)}",
        "        annotations:",
        f"          summary: {_literal(summary)}",
        f"          description: {_quoted(description)}",
    ]


def _missing(indicator: Indicator) -> list[str]:
    """Without a bucket at the cap nothing could ever fire: that is an alert of its own."""
    at = f"{bound(indicator.cap_ns, indicator.histogram.unit)} {indicator.histogram.unit}"
    summary = f"{indicator.what}: the histogram has no bucket at {at}, so no rule can tell requests within the cap"
    return [
        "      - alert: OverbudgetBucketMissing",
        "        expr: |-",
        f"          sum({_rates(indicator, 'count', '10m')}) > 0",
        f"          unless sum({_rates(indicator, 'bucket', '10m', _bucket_matcher(indicator))})",
        "        for: 10m",
        "        labels:",
        "          severity: ticket",
        f"          objective: {_literal(indicator.name)}",
        "        annotations:",
        f"          summary: {_literal(summary)}",
    ]


def _literal(text: str) -> str:
    """A label or an annotation of an alert that says `text`: both are templates, which write two braces as a string."""
    return _quoted(text.replace("{{", '{{"{{"}}'))


def _head(
    objective: Objective, indicators: Sequence[Indicator], source: str, remarks: Sequence[str], alerts: Sequence[Alert]
) -> list[str]:
    within, window = f"{100 * objective.within:.10g}%", window_literal(objective.window_ns)
    buckets: dict[tuple[str, str], list[int]] = {}
    for one in indicators:
        buckets.setdefault((one.histogram.metric, one.histogram.unit), []).append(one.cap_ns)
    said = [
        f"Made by overbudget export-slo from {source}. Make it again where the budget changes.",
        f"Objective: {within} of requests do not fail and are within their cap (at p{MAIN_PERCENTILE}), over {window}.",
        *(f"  {one.what}: {duration_literal(one.cap_ns)}" for one in indicators),
        "A histogram can tell these requests only where it has a bucket at the cap. These bounds must be in the collector's list",
        "(spanmetrics: histogram: explicit: buckets), beside those that are there:",
        *(
            f"  {metric}: {', '.join(duration_literal(cap) for cap in sorted(set(caps)))}"
            for (metric, _), caps in sorted(buckets.items())
        ),
        "Span metrics count every span that the collector sees: place the connector before any sampling. Time in which a request",
        "waits for a person is part of its span, and counts here.",
        "Alerts, by how much of the error budget would be gone:",
        *(
            f"  {alert.severity}: {alert.spends:.0%} in {alert.long}, still so over {alert.short} "
            f"(more than {100 * threshold(alert, objective):.4g}% of requests)"
            for alert in alerts
        ),
        *remarks,
    ]
    return [f"# {' '.join(line.splitlines())}" if not line.startswith(" ") else f"#{line}" for line in said]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
