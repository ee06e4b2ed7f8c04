"""Holding measured requests against a budget: docs/reference/method.md, "Percentiles" and "Budgets and verdicts"."""

from dataclasses import asdict

import numpy as np

from overbudget.analysis.budget.model import Budget, Caps, cap_at, request_cap
from overbudget.analysis.common.bands import LEAST_IN_BAND, whole_parts
from overbudget.analysis.common.binomial import least_n
from overbudget.analysis.common.percentiles import Quantile, quantiles
from overbudget.analysis.requests.table import GOOD, UNKNOWN
from overbudget.analysis.review.measure import TYPICAL, BandMeans, Measured
from overbudget.analysis.review.result import (
    BandStage,
    Basis,
    Breakdown,
    CauseOperation,
    Culprit,
    GoodAnswers,
    MeanRequest,
    PercentileRow,
    Review,
    RouteReview,
    StageRow,
    Streaming,
    Verdict,
)
from overbudget.stages.names import stage_order

TELLING = 0.2  # the share of an overrun that growth over typical requests must explain to be its cause


def judge(measured: Measured, budget: Budget | None = None) -> Review:
    """Measured requests against a budget. Takes a few milliseconds, however many requests were measured.

    Requests of one route alone are held to that route's budget, several routes together to the general one.
    """
    whole = budget or Budget()
    routes_here = [measured.table.route.names[code] for code in np.flatnonzero(measured.table.route.count())]
    held_to = whole.for_route(routes_here[0]) if len(routes_here) == 1 else whole
    names = measured.table.stages
    shown = [
        stage
        for stage in stage_order([*names, *held_to.stages])
        if held_to.stage_caps(stage) or (stage in names and _occurs(measured, names.index(stage)))
    ]
    return Review(
        dataset=measured.facts,
        selected={
            "requests": len(measured.table),
            "incomplete_left_out": measured.table.incomplete,
            "include_incomplete": measured.include_incomplete,
            "filters": measured.filters.as_dict(),
        },
        budget=whole.as_read if budget else None,
        percentiles=measured.percentiles,
        end_to_end=tuple(_row(quantile, held_to.caps) for quantile in measured.total),
        stages=tuple(
            _stage_row(measured, stage, quantiles_of, held_to.stage_caps(stage))
            for stage in shown
            for quantiles_of in _of_stage(measured, measured.stages, stage)
        ),
        breakdown=tuple(_breakdown(measured, held_to, p, shown) for p in measured.percentiles),
        typical=_mean_request(measured.typical, names, shown),
        overall=_mean_request(measured.overall, names, shown),
        routes=_routes(measured, whole) if len(routes_here) > 1 else (),
        other_routes=measured.other_routes if len(routes_here) > 1 else 0,
        good=_good(measured, whole),
        unmatched={
            "routes": [route for route in whole.routes if route not in measured.table.route.names],
            "stages": [stage for stage in shown if not _present(measured, stage)],
        },
    )


def verdict(quantile: Quantile, cap_ns: int | None) -> Verdict | None:
    """The verdict of docs/reference/method.md, "Budgets and verdicts". One end of the interval is enough where it alone settles the matter.

    Eighty requests cannot bound p99 from above, but where their lower bound exceeds the cap, so does p99. Fewer than
    five requests settle nothing, as in a band.
    """
    if cap_ns is None:
        return None
    if quantile.n < LEAST_IN_BAND:
        return "unknown"
    if quantile.low_ns is not None and quantile.low_ns > cap_ns:
        return "over"
    if quantile.value_ns is None or quantile.high_ns is None:
        return "unknown"
    if quantile.value_ns <= cap_ns:
        return "within"
    return "at_risk" if quantile.low_ns is not None else "unknown"


def _row(quantile: Quantile, caps: Caps) -> PercentileRow:
    cap, borrowed = cap_at(caps, quantile.percentile)
    cap = None if borrowed else cap
    needs = None if quantile.known else least_n(quantile.percentile)
    return PercentileRow(
        quantile.percentile,
        quantile.value_ns,
        quantile.low_ns,
        quantile.high_ns,
        quantile.n,
        cap,
        verdict(quantile, cap),
        needs,
    )


def _stage_row(measured: Measured, stage: str, quantile: Quantile, caps: Caps) -> StageRow:
    row = asdict(_row(quantile, caps))
    if row["verdict"] is not None and not _present(measured, stage):
        row["verdict"] = "unknown"  # no span says how long this stage takes: that it takes no time is not known
    return StageRow(**row, stage=stage)


def _of_stage(measured: Measured, per_stage: list[list[Quantile]], stage: str) -> list[Quantile]:
    names = measured.table.stages
    if stage in names:
        return per_stage[names.index(stage)]
    n = len(measured.table)
    return [Quantile(p, n, 0 if n else None, None, None) for p in measured.percentiles]


def _present(measured: Measured, stage: str) -> bool:
    names = measured.table.stages
    return stage in names and measured.table.present[names.index(stage)]


def _occurs(measured: Measured, place: int) -> bool:
    return measured.overall is not None and measured.overall.stage_ns[place] > 0


def _breakdown(measured: Measured, budget: Budget, percentile: int, shown: list[str]) -> Breakdown:
    band = measured.bands[percentile]
    if band is None:
        return Breakdown(percentile, measured.band_requests[percentile], None, (), None)
    names = measured.table.stages
    latency = round(band.latency_ns)
    means = dict(zip(names, whole_parts(band.stage_ns, latency), strict=True))
    caps = {stage: cap_at(budget.stage_caps(stage), percentile) for stage in shown}
    overrun = {stage: max(0, means.get(stage, 0) - cap) if cap is not None else 0 for stage, (cap, _) in caps.items()}
    basis: Basis | None = "cap" if any(overrun.values()) else None
    if basis is None and measured.typical is not None and _wants_a_cause(measured, budget, percentile):
        typical = dict(
            zip(names, whole_parts(measured.typical.stage_ns, round(measured.typical.latency_ns)), strict=True)
        )
        overrun = {stage: max(0, means.get(stage, 0) - typical.get(stage, 0)) for stage in shown}
        basis = "typical" if any(overrun.values()) else None
    total = sum(overrun.values())
    stages = tuple(
        BandStage(
            stage=stage,
            mean_ns=means.get(stage, 0),
            share=means.get(stage, 0) / latency if latency else 0.0,
            budget_ns=caps[stage][0],
            borrowed=caps[stage][1],
            overrun_ns=overrun[stage],
            blame=overrun[stage] / total if total else 0.0,
        )
        for stage in shown
    )
    culprit = None
    if basis is not None:
        worst = max(stages, key=lambda found: found.overrun_ns)
        operation = _operation(measured, band, worst, percentile)
        culprit = Culprit(worst.stage, worst.overrun_ns, worst.blame, basis, operation)
    return Breakdown(percentile, band.requests, latency, stages, culprit, _streaming(band, stages))


def _streaming(band: BandMeans, stages: tuple[BandStage, ...]) -> Streaming | None:
    if band.streaming is None:
        return None
    whole = next((stage.mean_ns for stage in stages if stage.stage == "inference"), 0)
    return Streaming(*whole_parts(np.array(band.streaming), whole))


def _wants_a_cause(measured: Measured, budget: Budget, percentile: int) -> bool:
    """Whether to say by comparison with typical requests where the time goes, no stage being over a cap.

    So it is where the whole request is over its cap or has none, except among the typical requests themselves.
    """
    if _is_typical(percentile):
        return False
    cap, _ = cap_at(budget.caps, percentile)
    value = next(quantile.value_ns for quantile in measured.total if quantile.percentile == percentile)
    return cap is None or (value is not None and value > cap)


def _is_typical(percentile: int) -> bool:
    half = min(5, percentile, 100 - percentile)
    return TYPICAL[0] <= percentile - half and percentile + half <= TYPICAL[1]


def _operation(measured: Measured, band: BandMeans, stage: BandStage, percentile: int) -> CauseOperation | None:
    """The cause inside a stage: what takes the most more than in typical requests.

    Where no growth explains the overrun (the stage is slow in every request, typical ones included), what takes most.
    """
    causes = measured.causes
    names = measured.table.stages
    if stage.stage not in names:
        return None
    inside = np.flatnonzero(causes.stage == names.index(stage.stage))
    if len(inside) == 0:
        return None
    mean = band.cause_ns[inside]
    typical = measured.typical.cause_ns[inside] if measured.typical is not None else None
    excess = mean - typical if typical is not None else mean
    tail = typical is not None and not _is_typical(percentile) and float(excess.max()) >= TELLING * stage.overrun_ns
    place = int(np.argmax(excess if tail else mean))
    if mean[place] <= 0:
        return None
    cause = inside[place]
    hop = causes.places[causes.hop[cause]] if causes.hop[cause] >= 0 else None
    callee = None
    if hop is not None and hop in causes.services:
        callee = round(float(mean[causes.service[inside] == causes.services.index(hop)].sum()))
    service, name = causes.services[causes.service[cause]], causes.names[causes.name[cause]]
    grown = round(float(excess[place]))
    return CauseOperation(
        service_name=service,
        name=name,
        hop_to=hop,
        excess_ns=grown,
        mean_ns=round(float(mean[place])),
        typical_ns=round(float(typical[place])) if typical is not None else None,
        callee_ns=callee,
        tail=tail,
        why=measured.why(percentile, (service, name, hop), names.index(stage.stage), grown) if tail else None,
    )


def _mean_request(band: BandMeans | None, names: tuple[str, ...], shown: list[str]) -> MeanRequest | None:
    if band is None:
        return None
    latency = round(band.latency_ns)
    means = dict(zip(names, whole_parts(band.stage_ns, latency), strict=True))
    stages = tuple(
        {"stage": stage, "mean_ns": means.get(stage, 0), "share": means.get(stage, 0) / latency if latency else 0.0}
        for stage in shown
    )
    return MeanRequest(band.requests, latency, stages)


def _routes(measured: Measured, budget: Budget) -> tuple[RouteReview, ...]:
    """Each route; those that the budget names are held to what holds for them, the others to nothing of their own."""
    found = []
    for route in measured.routes:
        held_to = budget.for_route(route.route) if route.route in budget.routes else Budget()
        stages = tuple(
            _stage_row(measured, stage, quantile, held_to.stage_caps(stage))
            for stage in stage_order(held_to.stages)
            if held_to.stage_caps(stage)
            for quantile in _of_stage(measured, route.stages, stage)
        )
        end_to_end = tuple(_row(quantile, held_to.caps) for quantile in route.total)
        found.append(RouteReview(route.route, route.requests, end_to_end, stages))
    return tuple(found)


def _good(measured: Measured, budget: Budget) -> GoodAnswers | None:
    table = measured.table
    scored = int(np.count_nonzero(table.scored))
    if scored == 0:
        return None
    is_good = table.good == GOOD
    told_apart = bool((table.good != UNKNOWN).any())
    caps = np.array([request_cap(budget.for_route(route).caps) or -1 for route in table.route.names], np.int64)
    cap_of_row = caps[table.route.codes]
    capped = is_good & (cap_of_row >= 0)
    within = int(np.count_nonzero(capped & (table.latency_ns <= cap_of_row))) if (caps >= 0).any() else None
    here = set(cap_of_row.tolist())
    rows = quantiles(table.latency_ns[is_good], measured.percentiles, table.start_ns[is_good])[0] if told_apart else []
    return GoodAnswers(
        requests_scored=scored,
        good=int(np.count_nonzero(is_good)) if told_apart else None,
        good_within_budget=within if told_apart else None,
        budget_ns=here.pop() if len(here) == 1 and min(here) >= 0 else None,
        end_to_end=tuple(_row(quantile, {}) for quantile in rows),
    )
