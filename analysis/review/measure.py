"""What a review measures, independent of caps: percentiles, bands, and how long each cause took in them.

Three steps, so that a page repeats only what a change affects: `read_evidence` (the dataset, and the budget's rules),
`measure` (filters), `analysis.review.judge` (caps).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from overbudget.analysis.causes.causes import Causes
from overbudget.analysis.causes.certainty import calls_more_often, calls_with_more_tokens
from overbudget.analysis.causes.spending import Cause
from overbudget.analysis.causes.why import Why, explain
from overbudget.analysis.common.bands import TYPICAL, Band, Ranking
from overbudget.analysis.common.percentiles import F64, I64, PERCENTILES, Quantile, Share, quantiles, share_of
from overbudget.analysis.consistency.conversations import Conversations
from overbudget.analysis.deployments.deployments import Deployment, deployments
from overbudget.analysis.health.lost_spans import compare_incomplete
from overbudget.analysis.requests.table import Filters, RequestTable
from overbudget.analysis.review.burn_down import Along, left_on_arrival, runs_out
from overbudget.analysis.review.evidence import DatasetFacts, Evidence
from overbudget.analysis.review.told import Told, mean_parts, no_values, told, told_of_parts
from overbudget.kernels.arrow import row_of
from overbudget.stages.name_template import template
from overbudget.store.errors import OverbudgetError

MOST_ROUTES = 50  # that are shown separately: the busiest, and those the budget names


@dataclass(frozen=True)
class LostSpans:
    """Requests with lost spans: how many, how many without an end, whether they are slower than whole ones (rank test,
    1 %), both medians, and how many can still be broken down."""

    requests: int
    open: int
    slower: bool
    median_ns: int | None
    others_median_ns: int | None
    broken_down: int


@dataclass(frozen=True)
class BandMeans:
    """Weighted means over a band of requests: latency, float64[stages], float64[causes] and what of those was awaited, in ns.

    `streaming` has the inference time before the first token, the time of writing the answer, and the time of requests that
    record no first token; None where none records one.
    """

    requests: int
    latency_ns: float
    stage_ns: F64
    cause_ns: F64
    awaited_ns: F64
    streaming: tuple[float, float, float] | None
    extreme: tuple[int, float] | None = (
        None  # latency of a request that makes up more than a third of the spread, and its share
    )


@dataclass(frozen=True)
class RouteMeasure:
    """Percentiles of one route's requests: of the whole, and per stage in the order of the table's stages."""

    route: str
    requests: int
    total: list[Quantile]
    stages: list[list[Quantile]]
    failed: Share | None = None
    first_token: Told | None = None  # of routes that the budget names
    parts: Mapping[str, Told] = field(default_factory=dict)


class CallFigure(NamedTuple):
    """A figure of the model calls that record it, in ns; the row of each one's request and its cluster; `without` calls of the
    same kind do not record it."""

    ns: I64
    request: I64
    cluster: I64
    without: int


@dataclass(frozen=True)
class Measured:
    """A selection of requests, measured. `bands[p]` and `typical` are None with fewer than five requests in them.

    Percentiles of the whole request are over all whole entries (`table`); stages and bands need every span, so they are
    over the complete ones among them; `band_incomplete[p]` counts the others of a band. `failed` is the share of failed
    requests before `failures_apart` leaves any out.
    """

    facts: DatasetFacts
    filters: Filters
    include_incomplete: bool
    percentiles: tuple[int, ...]
    table: RequestTable
    causes: Causes
    total: list[Quantile]
    stages: list[list[Quantile]]
    bands: dict[int, BandMeans | None]
    band_requests: dict[int, int]
    typical: BandMeans | None
    overall: BandMeans | None
    routes: list[RouteMeasure]
    other_routes: int
    band_incomplete: dict[int, int]
    failed: Share | None
    failures_apart: bool
    incomplete: LostSpans | None
    rows: np.ndarray  # of each request of `table` among all that were read
    cohorts: dict[int, Band]
    typical_band: Band
    evidence: Evidence
    first_token: Told
    parts: Mapping[str, Told]
    deployments: tuple[Deployment, ...] = ()
    conversations: Conversations | None = None

    def along(self, percentile: int, cap_ns: int) -> Along:
        """What the band at a percentile has left of its cap along the way, and where that runs out."""
        if self.evidence.visits is None or self.bands[percentile] is None:
            return Along((), None)
        visits, every = self.evidence.visits(), self.evidence.requests
        band, typical = self._weights(self.cohorts[percentile]), self._weights(self.typical_band)
        return Along(
            left_on_arrival(visits, every.stages, percentile, cap_ns, band, typical),
            runs_out(visits, every.stages, percentile, cap_ns, band, every.latency_ns),
        )

    def why(self, percentile: int, cause: Cause, stage: int, excess_ns: int) -> Why | None:
        """Why a cause takes `excess_ns` more at a percentile than in typical requests; None without a dataset."""
        if self.evidence.spending is None:
            return None
        spent = self.evidence.spending()
        before, after = (
            spent.amount(cause, self._weights(band), stage) for band in (self.typical_band, self.cohorts[percentile])
        )
        cost = self.evidence.costs()(cause) if self.evidence.costs is not None else None
        return explain(before, after, excess_ns, cost, spent.widths.get(cause, 1))

    def certain(self, percentile: int, cause: Cause) -> tuple[bool, bool]:
        """Whether requests at a percentile certainly call a cause more often than typical ones, and with more tokens."""
        if self.evidence.spending is None or self.evidence.costs is None:
            return False, False
        spent, weights = (
            self.evidence.spending(),
            [self._weights(band) for band in (self.typical_band, self.cohorts[percentile])],
        )
        often = calls_more_often(spent, cause, weights[0], weights[1])
        return often, calls_with_more_tokens(spent, cause, self.evidence.costs()(cause), weights[0], weights[1])

    def of_calls(self, kind: str, name: str, figure: str) -> Told:
        """The percentiles of a figure of each model call of a stage (or of the models that a pattern names)."""
        told = self.call_figure(kind, name, figure)
        if not len(told.ns):
            return Told(no_values(self.percentiles), told.without)
        start_ns, weight = self.table.start_ns[told.request], self.table.weight[told.request]
        return Told(quantiles(told.ns, self.percentiles, start_ns, weight, told.cluster)[0], told.without)

    def call_figure(self, kind: str, name: str, figure: str) -> CallFigure:
        """A figure of each model call of a stage (or of the models that a pattern names), in the selected requests."""
        if self.evidence.calls is None:
            none = np.zeros(0, np.int64)
            return CallFigure(none, none, none, 0)
        calls = self.evidence.calls()
        row = np.full(len(self.evidence.requests), -1, np.int64)
        row[self.rows] = np.arange(len(self.rows))
        request = row[calls.request]
        stages = self.table.stages
        of = calls.of_model(name) if kind == "model" else calls.stage == (stages.index(name) if name in stages else -1)
        values = calls.figure(figure)
        known = np.flatnonzero(of & (request >= 0) & (values >= 0))
        without = int(np.count_nonzero(of & (request >= 0))) - len(known)
        return CallFigure(values[known], request[known], calls.cluster[known], without)

    def has_model(self, name: str) -> bool:
        """Whether any model call of the dataset is of a model that the pattern names."""
        return self.evidence.calls is not None and bool(self.evidence.calls().of_model(name).any())

    def chosen(self) -> tuple[RequestTable, np.ndarray]:
        """The requests that pass the filters, those that failed among them, and the row of each among all."""
        table = self.evidence.requests.select(self.filters, self.include_incomplete, whole_entries=True)
        return table, row_of(self.evidence.requests.request_no, table.request_no).astype(np.int64)

    def _weights(self, band: Band) -> F64:
        weights = np.zeros(len(self.evidence.requests))
        weights[self.rows[band.rows]] = band.weights
        return weights


def measure(
    evidence: Evidence,
    filters: Filters | None = None,
    percentiles: Sequence[int] = PERCENTILES,
    include_incomplete: bool = False,
    routes: Sequence[str] = (),
    failures_apart: bool = False,
) -> Measured:
    """Percentiles and bands of the requests that pass `filters`; `routes` are always measured separately.

    With `failures_apart`, failed requests count only in the share that failed.

    Errors: OverbudgetError for a percentile that is not a whole number from 1 to 99.
    """
    filters = filters or Filters()
    percentiles = tuple(percentiles)
    for percentile in percentiles:
        if percentile not in range(1, 100):
            raise OverbudgetError(f"p{percentile} is not a percentile to review; they are whole, from p1 to p99.")
    table = evidence.requests.select(filters, include_incomplete, whole_entries=True)
    failed = share_of(table.failed, table.start_ns, table.weight)
    if failures_apart and table.failed.any():
        table = table.take(np.flatnonzero(~table.failed))
    rows = row_of(evidence.requests.request_no, table.request_no).astype(np.int64)
    ranking, usable = Ranking(table.latency_ns, table.weight), table.complete | include_incomplete
    if evidence.restored is not None:
        usable = usable | evidence.restored[rows]
    ranked = {p: ranking.band(p) for p in percentiles}
    bands = {p: band.among(usable) for p, band in ranked.items()}

    def means(band: Band) -> BandMeans | None:
        return _means(band, table, rows, evidence) if band.known else None

    typical_band = ranking.between(*TYPICAL).among(usable)
    everyone = np.flatnonzero(usable)
    whole = table if usable.all() else table.take(everyone)
    by_route, other_routes = _routes(table, usable, percentiles, routes)
    return Measured(
        facts=evidence.facts,
        filters=filters,
        include_incomplete=include_incomplete,
        percentiles=percentiles,
        table=table,
        causes=evidence.causes,
        total=_whole_requests(table, percentiles),
        stages=quantiles(whole.stage_ns, percentiles, whole.start_ns, whole.weight),
        bands={p: means(band) for p, band in bands.items()},
        band_requests={p: len(band.rows) for p, band in bands.items()},
        typical=means(typical_band),
        overall=_means(_evenly(everyone, table), table, rows, evidence) if len(everyone) else None,
        routes=by_route,
        other_routes=other_routes,
        band_incomplete={p: len(band.rows) - len(bands[p].rows) for p, band in ranked.items()},
        failed=failed,
        failures_apart=failures_apart,
        incomplete=_incomplete(table, usable),
        rows=rows,
        cohorts=bands,
        typical_band=typical_band,
        evidence=evidence,
        first_token=told(table.ttft_ns, table, everyone, percentiles),
        parts=told_of_parts(table, everyone, percentiles),
        deployments=deployments(table),
        conversations=evidence.conversations(table) if evidence.conversations and table.scored.any() else None,
    )


def _evenly(rows: npt.NDArray[np.integer], table: RequestTable) -> Band:
    weight = table.weight[rows]
    return Band(rows.astype(np.int64), weight / weight.sum())


def _whole_requests(table: RequestTable, percentiles: tuple[int, ...]) -> list[Quantile]:
    """Percentiles of the whole request. A request without an end took at least its known time: a percentile that it may
    decide is marked, and the upper end of the interval assumes that all such requests are slower than any other."""
    latency_ns, start_ns, weight = table.latency_ns, table.start_ns, table.weight
    found = quantiles(latency_ns, percentiles, start_ns, weight)[0]
    if not table.open.any():
        return found
    endless = int(latency_ns.max()) + 1
    most = quantiles(np.where(table.open, endless, latency_ns), percentiles, start_ns, weight)[0]
    return [
        replace(
            one,
            high_ns=None if upper.high_ns is None or upper.high_ns >= endless else max(one.high_ns or 0, upper.high_ns),
            at_least=upper.value_ns != one.value_ns,
        )
        for one, upper in zip(found, most, strict=True)
    ]


def _incomplete(table: RequestTable, usable: npt.NDArray[np.bool_]) -> LostSpans | None:
    lost = ~table.complete
    if not lost.any():
        return None
    compared = compare_incomplete(table)
    medians = [int(np.median(table.latency_ns[one])) if one.any() else None for one in (lost, ~lost)]
    return LostSpans(
        requests=int(np.count_nonzero(lost)),
        open=int(np.count_nonzero(table.open)),
        slower=compared is not None and compared.slower,
        median_ns=medians[0],
        others_median_ns=medians[1],
        broken_down=int(np.count_nonzero(lost & usable)),
    )


def _means(band: Band, table: RequestTable, rows: np.ndarray, evidence: Evidence) -> BandMeans:
    causes = evidence.causes
    return BandMeans(
        requests=len(band.rows),
        latency_ns=float(band.mean(table.latency_ns)),
        stage_ns=band.mean(table.stage_ns),
        cause_ns=causes.mean_ns(Band(rows[band.rows], band.weights)),
        awaited_ns=causes.mean_ns(Band(rows[band.rows], band.weights), awaited=True),
        streaming=mean_parts(band, table),
        extreme=band.extreme(table.latency_ns),
    )


def _routes(
    table: RequestTable, usable: npt.NDArray[np.bool_], percentiles: tuple[int, ...], named: Sequence[str]
) -> tuple[list[RouteMeasure], int]:
    """Each route's percentiles, busiest first (then by name), and how many routes were left out."""
    counts = table.route.count()
    codes = [int(code) for code in np.flatnonzero(counts)]
    codes.sort(key=lambda code: (-counts[code], table.route.names[code]))
    called = {name for route in named for name in (route, template(route))}
    if len(codes) < 2 and not any(table.route.names[code] in called for code in codes):
        return [], 0
    shown = [code for place, code in enumerate(codes) if place < MOST_ROUTES or table.route.names[code] in called]
    order = np.argsort(table.route.codes, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)])
    measured = []
    for code in shown:
        rows = order[starts[code] : starts[code + 1]]
        whole = rows[usable[rows]]
        asked = table.route.names[code] in called
        measured.append(
            RouteMeasure(
                route=table.route.names[code],
                requests=len(rows),
                total=_whole_requests(table.take(rows), percentiles),
                stages=quantiles(table.stage_ns[whole], percentiles, table.start_ns[whole], table.weight[whole]),
                failed=share_of(table.failed[rows], table.start_ns[rows], table.weight[rows]),
                first_token=told(table.ttft_ns, table, whole, percentiles) if asked else None,
                parts=told_of_parts(table, whole, percentiles) if asked else {},
            )
        )
    return measured, len(codes) - len(shown)
