"""Does the service stay fast under load? Latency and stage times against requests in flight and against arrivals."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from overbudget.analysis.budget.caps import total_cap
from overbudget.analysis.budget.model import Budget
from overbudget.analysis.common.percentiles import F64, I64, Quantile, quantiles
from overbudget.analysis.common.probability import student_above
from overbudget.analysis.load.goodput import Activity, Goodput, caps_kept, goodput_of, kept_all, peak_of
from overbudget.analysis.requests.parts import occurring_parts, part_ns
from overbudget.analysis.requests.read import read_requests, require_known
from overbudget.analysis.requests.sampling import sampling_of
from overbudget.analysis.requests.table import UNKNOWN, Filters, RequestTable
from overbudget.analysis.requests.waits import read_waits
from overbudget.analysis.review.rows import Verdict
from overbudget.analysis.review.verdicts import verdict
from overbudget.kernels.arrow import numbers, row_of
from overbudget.stages.attribute_keys import QUEUE_KEY
from overbudget.stages.names import part_of

EDGES = (0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.98, 1)  # finer at the top, where a service breaks
LEAST_IN_BIN = 20  # requests
GROWN = 1.2  # times the time under the least load counts as growth
LEAST_PART = 0.02  # of a request's time: smaller growth does not count
ALPHA = 0.05
MAINLY = 2 / 3  # of a stage's growth that one of its parts must be, to be named
ARRIVALS = 20  # arrivals that the window of the arrival rate holds on average
WINDOW_NS = (1_000_000_000, 60_000_000_000)  # the least and the longest
MODEL_KEYS = ("gen_ai.latency.time_in_model_prefill", "gen_ai.latency.time_in_model_decode", QUEUE_KEY)


@dataclass(frozen=True)
class Bin:
    """Requests under similar load, with 95 % intervals, None where the requests are too few for one.

    `parts` has the mean times of the parts of stages, over the requests that record them. `server` has the mean times that the inference server reports, in ns per request, for the keys that occur.
    """

    low: float
    high: float
    requests: int
    p50_ns: int
    p50_low_ns: int | None
    p50_high_ns: int | None
    p95_ns: int
    p95_low_ns: int | None
    p95_high_ns: int | None
    verdict: str | None
    stages: tuple[dict[str, Any], ...]
    server: dict[str, int]
    parts: tuple[dict[str, Any], ...] = ()
    goodput: Goodput | None = None  # by requests in flight, where the budget caps requests


@dataclass(frozen=True)
class Load:
    """Latency against load.

    `breaks_at`: the number of requests in flight from which on p95 is certainly over the cap; `may_break_at`: from which
    on it may be. Both None without a cap, or where it is met. `first_to_grow`: the stage whose time grows at the lowest
    load, `grows_at`. `rate_window_ns`: arrivals are counted over this long before each request.
    """

    bins: tuple[Bin, ...]
    arrivals: tuple[Bin, ...]
    rate_window_ns: int
    first_to_grow: str | None
    grows_at: int | None
    breaks_at: int | None
    may_break_at: int | None
    budget_ns: int | None
    part_to_grow: str | None = None  # the part that most of its growth is
    goodput_peaks_at: int | None = None  # requests in flight; None unless it certainly falls with more
    goodput_caps: tuple[
        str, ...
    ] = ()  # what the requests in goodput kept the cap at p95 on: total, first_token, stages
    judged: bool = False  # whether goodness is recorded, so that goodput has good answers alone
    sampled: str | None = None  # why there is no answer, where only some traces were kept

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts and lists with the keys of docs/reference/json.md."""
        found = asdict(self)
        for key, low, high, kind in (
            ("bins", "in_flight_low", "in_flight_high", int),
            ("arrivals", "per_second_low", "per_second_high", float),
        ):
            goodput = [b.pop("goodput") for b in found[key]]
            found[key] = [{low: kind(b.pop("low")), high: kind(b.pop("high")), **b} for b in found[key]]
            if key == "bins":
                found[key] = [{**b, **_flat(one or {})} for b, one in zip(found[key], goodput, strict=True)]
        return found


def _flat(goodput: dict[str, Any]) -> dict[str, Any]:
    keys = {"goodput": "per_second", "goodput_ci_low": "low", "goodput_ci_high": "high", "goodput_requests": "finished"}
    return {key: goodput.get(name) for key, name in keys.items()}


def load(connection: duckdb.DuckDBPyConnection, budget: Budget | None = None, filters: Filters | None = None) -> Load:
    """How latency depends on load, for the requests that pass `filters`; all requests count as load."""
    everyone = read_requests(connection, budget)
    require_known(everyone, filters or Filters())
    return load_of(connection, everyone, budget, filters)


def load_of(
    connection: duckdb.DuckDBPyConnection,
    everyone: RequestTable,
    budget: Budget | None = None,
    filters: Filters | None = None,
    sampled: str | None = None,
) -> Load:
    """Like `load`, for requests that were read already. `sampled` says that only some traces were kept, "" that all were;
    None to look."""
    if sampled is None:
        sampled = sampling_of(connection).sentence
    if sampled:
        return Load((), (), 0, None, None, None, None, _cap(budget, everyone.select(filters)), sampled=sampled)
    activity = activity_of(connection, everyone)
    others = activity.others().astype(np.float64)
    rate, window = arrival_rate(everyone.start_ns)
    table = everyone.select(filters)
    rows = row_of(everyone.request_no, table.request_no)
    server = _server_times(connection, table)
    cap = _cap(budget, table)
    bins = _bins(table, others[rows], server, cap)
    cuts = [bin_.low for bin_ in bins]
    place = np.searchsorted(cuts[1:], others[rows], side="right")
    goodput: list[Goodput | None] = [None] * len(bins)
    caps = caps_kept(table, budget)
    if budget is not None and caps:
        counts = np.zeros(len(everyone), bool)
        counts[rows] = kept_all(table, budget)
        goodput = goodput_of(activity, counts, cuts)
    peak = peak_of(goodput)
    stage, at = first_to_grow(table, place, [int(bin_.low) for bin_ in bins])
    part = _mainly(bins, stage, at)
    return Load(
        bins=tuple(replace(bin_, goodput=one) for bin_, one in zip(bins, goodput, strict=True)),
        arrivals=_bins(table, rate[rows], server, cap),
        rate_window_ns=window,
        first_to_grow=stage,
        grows_at=at,
        part_to_grow=part,
        breaks_at=_from_here_on([bin_.verdict == "over" for bin_ in bins], bins),
        may_break_at=_from_here_on([_may_break(bin_, cap) for bin_ in bins], bins),
        budget_ns=cap,
        goodput_caps=caps,
        judged=bool((table.good != UNKNOWN).any()),
        goodput_peaks_at=None if peak is None else int(bins[peak].low),
    )


def activity_of(connection: duckdb.DuckDBPyConnection, everyone: RequestTable) -> Activity:
    """When each request is in flight; who waits for a person is not.

    Where a budget's own rules say who waits, when they wait is not stored: they count as if they waited last.
    """
    finished = everyone.start_ns + everyone.latency_ns
    if not everyone.user_ns.any():
        return Activity(everyone.start_ns, finished, None)
    waits = read_waits(connection, everyone.request_no)
    if everyone.entry_span_no is not None or not (waits.per_request(len(everyone)) == everyone.user_ns).all():
        return Activity(everyone.start_ns, finished, None)
    return Activity(everyone.start_ns, finished + everyone.user_ns, waits)


def others_in_flight(connection: duckdb.DuckDBPyConnection, everyone: RequestTable) -> npt.NDArray[np.integer[Any]]:
    """Of each request how many others were in flight when it arrived."""
    return activity_of(connection, everyone).others()


def arrival_rate(start_ns: I64) -> tuple[F64, int]:
    """Per request the arrivals per second in the window that ends with it, itself included; and the window's length in ns."""
    ordered = np.sort(start_ns)
    span = int(ordered[-1] - ordered[0]) if len(ordered) else 0
    window = int(np.clip(ARRIVALS * span / max(len(ordered), 1), *WINDOW_NS))
    arrived = np.searchsorted(ordered, start_ns, side="right") - np.searchsorted(
        ordered, start_ns - window, side="right"
    )
    return arrived / (window / 1e9), window


def bin_cuts(load_of_each: npt.NDArray[np.floating[Any]]) -> list[float]:
    """The loads at which bins begin, ascending; equal loads are never split, and no bin has fewer than 20 requests."""
    values, count = np.unique(load_of_each, return_counts=True)
    if len(values) == 0:
        return []
    below = np.concatenate([[0], np.cumsum(count)])
    total = below[-1]
    cuts = [0]
    for edge in EDGES[1:-1]:
        place = int(np.searchsorted(below, edge * total, side="left"))
        if place < len(values) and below[place] - below[cuts[-1]] >= LEAST_IN_BIN <= total - below[place]:
            cuts.append(place)
    return [float(values[place]) for place in cuts]


def _bins(table: RequestTable, load_of_each: F64, server: dict[str, F64], cap: int | None) -> tuple[Bin, ...]:
    cuts = bin_cuts(load_of_each)
    place = np.searchsorted(cuts[1:], load_of_each, side="right")
    return tuple(_bin(table, load_of_each, server, np.flatnonzero(place == number), cap) for number in range(len(cuts)))


def _bin(table: RequestTable, load_of_each: F64, server: dict[str, F64], rows: I64, cap: int | None) -> Bin:
    p50, p95 = quantiles(table.latency_ns[rows], (50, 95), table.start_ns[rows])[0]
    means = table.stage_ns[rows].mean(axis=0) if len(rows) else np.zeros(len(table.stages))
    return Bin(
        low=float(load_of_each[rows].min()),
        high=float(load_of_each[rows].max()),
        requests=len(rows),
        p50_ns=p50.value_ns or 0,
        p50_low_ns=p50.low_ns,
        p50_high_ns=p50.high_ns,
        p95_ns=p95.value_ns or 0,
        p95_low_ns=p95.low_ns,
        p95_high_ns=p95.high_ns,
        verdict=_verdict(p50, p95, cap),
        stages=tuple(
            {"stage": stage, "mean_ns": round(float(mean))}
            for stage, mean in zip(table.stages, means, strict=True)
            if mean > 0
        ),
        server={key: round(float(ns[rows].mean())) for key, ns in server.items()},
        parts=tuple(_parts(table, rows)),
    )


def _parts(table: RequestTable, rows: I64) -> Iterator[dict[str, Any]]:
    """The mean of each part that any of these requests records."""
    for name in occurring_parts(table):
        ns = part_ns(table, name)[rows]
        told = ns[ns >= 0]
        if len(told):
            yield {"stage": name, "part_of": part_of(name), "mean_ns": round(float(told.mean()))}


def _mainly(bins: tuple[Bin, ...], stage: str | None, at: int | None) -> str | None:
    """The part that makes up most of a stage's growth from the first bin to the one that begins at `at`; None where none does."""
    if stage is None or at is None:
        return None
    grown = (bins[0], next(one for one in bins if int(one.low) == at))
    whole, parts = ([_means(one.stages) for one in grown], [_means(one.parts) for one in grown])
    more = whole[1].get(stage, 0) - whole[0].get(stage, 0)
    by_part = {name: ns - parts[0].get(name, 0) for name, ns in parts[1].items() if part_of(name) == stage}
    return next((name for name, ns in by_part.items() if more > 0 and ns >= MAINLY * more), None)


def _means(rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    return {row["stage"]: row["mean_ns"] for row in rows}


def _verdict(p50: Quantile, p95: Quantile, cap: int | None) -> Verdict | None:
    """The verdict on p95 of a bin; where its requests are too few or too alike for an interval, `over` still holds if even
    half of them exceed the cap: requests under one load often come from one stretch of time, as when traffic ramps up."""
    found = verdict(p95, cap)
    if found == "unknown" and cap is not None and p95.independence in ("assumed", "unknown"):
        return "over" if (p50.value_ns or 0) > cap else found
    return found


def first_to_grow(table: RequestTable, place: I64, loads: list[int]) -> tuple[str | None, int | None]:
    """The stage that grows at the lowest load, and that load; of several in one bin, the one that grows most.

    `place` is each request's bin, `loads` the load from which on each bin is. A stage has grown in a bin where its mean
    is 20 % above that of the first bin, the difference is 2 % of the request at least, and Welch's test (B. L. Welch,
    Biometrika 34 (1947), one-sided) says so at 5 % after Holm's correction (S. Holm, Scandinavian Journal of Statistics
    6 (1979)) over all stages and bins.
    """
    number = len(loads)
    if number < 2:
        return None, None
    count = np.bincount(place, minlength=number).astype(np.float64)
    mean = np.zeros((number, len(table.stages)))
    variance = np.zeros_like(mean)
    for stage in range(len(table.stages)):
        time = table.stage_ns[:, stage].astype(np.float64)
        mean[:, stage] = np.bincount(place, time, minlength=number) / count
        variance[:, stage] = np.bincount(place, (time - mean[place, stage]) ** 2, minlength=number) / (count - 1)
    p = welch(mean[1:], variance[1:], count[1:, None], mean[0], variance[0], count[0])
    grown = holm(p.ravel()).reshape(p.shape) <= ALPHA
    change = mean[1:] - mean[0]
    grown &= (mean[1:] >= GROWN * mean[0]) & (change >= LEAST_PART * float(mean[0].sum()))
    for bin_, stages in enumerate(grown):
        if stages.any():
            return table.stages[int(np.argmax(np.where(stages, change[bin_], -1)))], loads[bin_ + 1]
    return None, None


def welch(mean: F64, variance: F64, n: F64, mean0: F64, variance0: F64, n0: F64) -> F64:
    """The probability that a mean is so far above `mean0` by chance: Welch's t-test, one-sided, from summaries."""
    a, b = variance / n, variance0 / n0
    error = np.sqrt(a + b)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = (mean - mean0) / error
        freedom = (a + b) ** 2 / (a**2 / (n - 1) + b**2 / (n0 - 1))
        chance = student_above(statistic, freedom)
    return np.where(error > 0, chance, np.where(mean > mean0, 0.0, 1.0))


def holm(p: F64) -> F64:
    """P-values corrected for the number of tests (Holm 1979)."""
    order = np.argsort(p)
    corrected = np.maximum.accumulate(np.minimum(1, p[order] * np.arange(len(p), 0, -1)))
    found = np.empty_like(p)
    found[order] = corrected
    return found


def _cap(budget: Budget | None, table: RequestTable) -> int | None:
    """The cap on p95 for the selected requests; None where it would be borrowed from a lower percentile."""
    cap = total_cap(budget, table.routes)
    return cap.ns if cap and not cap.borrowed else None


def _may_break(bin_: Bin, cap: int | None) -> bool:
    return cap is not None and (bin_.p95_ns if bin_.p95_high_ns is None else bin_.p95_high_ns) > cap


def _from_here_on(broken: list[bool], bins: tuple[Bin, ...]) -> int | None:
    """The load of the first bin from which on all bins are broken."""
    first = len(bins)
    while first and broken[first - 1]:
        first -= 1
    return int(bins[first].low) if first < len(bins) else None


def _server_times(connection: duckdb.DuckDBPyConnection, table: RequestTable) -> dict[str, F64]:
    """Per request the times that its inference server reports, in ns (recorded in seconds); only keys that occur."""
    found = connection.sql(
        """SELECT node, request_no, entry."key" AS name, sum(try_cast(entry."value" AS DOUBLE)) * 1e9 AS ns
           FROM (SELECT t.node, t.request_no, unnest(s.attributes) AS entry FROM data.tree t JOIN data.spans s USING (span_no)
                 WHERE t.operation_id IN (SELECT operation_id FROM operations WHERE stage IN ('inference', 'queue')))
           WHERE list_contains($keys, entry."key") AND try_cast(entry."value" AS DOUBLE) IS NOT NULL GROUP BY ALL""",
        params={"keys": list(MODEL_KEYS)},
    ).to_arrow_table()  # fmt: skip
    if found.num_rows == 0:
        return {}
    request = numbers(found["request_no"])
    if table.request_of_node is not None:
        request = table.request_of_node[numbers(found["node"])]
    rows = row_of(table.request_no, request)
    names = np.array(found["name"].to_pylist())
    ns = numbers(found["ns"])
    held = rows >= 0
    return {
        str(key): np.bincount(rows[held & (names == key)], ns[held & (names == key)], len(table)).astype(np.float64)
        for key in np.unique(names[held])
    }
