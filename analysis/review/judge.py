"""Judging measured requests against a budget: docs/reference/method.md, "Percentiles" and "Budgets and verdicts"."""

from collections.abc import Mapping

import numpy as np

from overbudget.analysis.budget.caps import MAIN_PERCENTILE, Cap, cap_of
from overbudget.analysis.budget.caps import held_to as budget_of
from overbudget.analysis.budget.model import Budget
from overbudget.analysis.causes.causes import Causes
from overbudget.analysis.common.bands import whole_parts
from overbudget.analysis.common.percentiles import quantiles
from overbudget.analysis.objective.error_budget import ErrorBudget, error_budget
from overbudget.analysis.review.culprit import Blame, Case, blame, everything_slow, largest_unattributed
from overbudget.analysis.review.good_answers import good_answers
from overbudget.analysis.review.limits import call_limit_rows, limit_rows
from overbudget.analysis.review.measure import BandMeans, Measured
from overbudget.analysis.review.parts_over import PartsOver, parts_over
from overbudget.analysis.review.result import (
    AllSlow,
    BandStage,
    Breakdown,
    Extreme,
    MeanRequest,
    Review,
    RouteReview,
    ServicePart,
    Streaming,
    Waited,
    WithWait,
    too_many_lost,
)
from overbudget.analysis.review.stage_rows import (
    call_rows,
    counted,
    first_token_rows,
    is_present,
    late_first_tokens,
    stage_rows,
)
from overbudget.analysis.review.verdicts import percentile_row
from overbudget.stages.name_template import template
from overbudget.stages.names import part_of, stage_order


def judge(measured: Measured, budget: Budget | None = None) -> Review:
    """Judge measured requests against a budget. Takes a few milliseconds, however many requests were measured.

    Requests of a single route are judged by that route's budget, several routes together by the general one.
    """
    whole = budget or Budget()
    routes_here = measured.table.routes
    held_to = budget_of(whole, routes_here)
    names = measured.table.stages
    shown = [
        stage
        for stage in stage_order([*names, *(name for name in held_to.stages if part_of(name) is None)])
        if held_to.stage_caps(stage) or (stage in names and _occurs(measured, names.index(stage)))
    ]
    along = [measured.along(p, cap.ns) for p in measured.percentiles if (cap := cap_of(held_to.caps, p)) is not None]
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
        end_to_end=tuple(
            percentile_row(quantile, held_to.caps, counted(measured.failed, measured)) for quantile in measured.total
        ),
        stages=stage_rows(measured, [*shown, *measured.parts], held_to, measured.stages, measured.parts),
        first_token=first_token_rows(measured, measured.first_token, held_to.first_token),
        calls=call_rows(measured, held_to),
        call_limits=call_limit_rows(measured, held_to),
        first_token_causes=late_first_tokens(measured, held_to.first_token),
        breakdown=tuple(_breakdown(measured, held_to, p, shown) for p in measured.percentiles),
        typical=_mean_request(measured, measured.typical, shown),
        overall=_mean_request(measured, measured.overall, shown),
        routes=_routes(measured, whole) if len(routes_here) > 1 else (),
        other_routes=measured.other_routes if len(routes_here) > 1 else 0,
        good=good_answers(measured.table, measured.percentiles, whole, measured.conversations),
        unmatched={
            "routes": [name for name in whole.routes if not {name, template(name)} & set(measured.table.route.names)],
            "stages": [stage for stage in shown if not is_present(measured, stage)],
            "models": [name for kind, name in held_to.call_caps() if kind == "model" and not measured.has_model(name)],
        },
        failed=measured.failed.as_dict() if measured.failed else None,
        failures_apart=measured.failures_apart,
        window_ns=int(np.ptp(measured.table.start_ns)) if len(measured.table) else None,
        all_slow=_all_slow(measured, held_to),
        incomplete=measured.incomplete,
        remarks=whole.remarks,
        parts_over=_parts_over(measured, held_to),
        waited=_waited(measured),
        limits=limit_rows(measured.table, whole),
        left=tuple(left for found in along for left in found.left),
        runs_out=tuple(found.runs_out for found in along if found.runs_out is not None),
        objective=_objective(measured, whole),
        deployments=measured.deployments,
    )


def _objective(measured: Measured, budget: Budget) -> ErrorBudget | None:
    """The error budget, of all chosen requests: where failures are left out of percentiles they are spent all the same."""
    everyone = measured.evidence.requests
    if budget.objective is None or not len(everyone):
        return None
    table, rows = measured.chosen()
    whole = table.complete | measured.include_incomplete
    if measured.evidence.restored is not None:
        whole = whole | measured.evidence.restored[rows]
    first_ns, last_ns = measured.filters.within(int(everyone.start_ns.min()), int(everyone.start_ns.max()))
    return error_budget(table, whole, budget, first_ns, last_ns)


def _waited(measured: Measured) -> Waited | None:
    table = measured.table
    waited = table.user_ns[table.user_ns > 0]
    if not len(waited):
        return None
    (whole,) = quantiles(table.duration_ns, measured.percentiles, table.start_ns, table.weight)
    with_wait = tuple(WithWait(one.percentile, one.value_ns) for one in whole)
    return Waited(len(waited), int(np.median(waited)), int(waited.max()), with_wait)


def _occurs(measured: Measured, place: int) -> bool:
    return measured.overall is not None and measured.overall.stage_ns[place] > 0


def _breakdown(measured: Measured, budget: Budget, percentile: int, shown: list[str]) -> Breakdown:
    band, missing = measured.bands[percentile], measured.band_incomplete[percentile]
    if band is None:
        return Breakdown(percentile, measured.band_requests[percentile], None, (), None, band_incomplete=missing)
    latency = round(band.latency_ns)
    caps = {stage: cap_of(budget.stage_caps(stage), percentile) for stage in shown}
    value = next(quantile.value_ns for quantile in measured.total if quantile.percentile == percentile)
    case = _case(measured, band, measured.typical, caps, cap_of(budget.caps, percentile), percentile, value)
    found = blame(case)
    if too_many_lost(band.requests, missing):
        found = Blame(found.overrun)  # the others say nothing about those that lost their spans
    total = sum(found.overrun.values())
    stages = tuple(
        BandStage(
            stage=stage,
            mean_ns=case.means.get(stage, 0),
            share=case.means.get(stage, 0) / latency if latency else 0.0,
            budget_ns=cap.ns if (cap := caps[stage]) else None,
            borrowed=cap.borrowed if cap else False,
            overrun_ns=found.overrun.get(stage, 0),
            blame=found.overrun.get(stage, 0) / total if total else 0.0,
        )
        for stage in shown
    )
    return Breakdown(
        percentile,
        band.requests,
        latency,
        stages,
        found.culprit,
        _streaming(band, stages),
        missing,
        found.everything_slow,
        found.natural_spread,
        found.any_of,
        Extreme(*band.extreme) if band.extreme else None,
        _services(measured.causes, band),
        case.total_cap,
        largest_unattributed(case),
    )


def _case(
    measured: Measured,
    band: BandMeans,
    typical: BandMeans | None,
    caps: Mapping[str, Cap | None],
    total: Cap | None,
    percentile: int,
    value_ns: int | None,
) -> Case:
    names = measured.table.stages
    return Case(
        percentile=percentile,
        names=names,
        causes=measured.causes,
        band=band,
        typical=typical,
        means=dict(zip(names, whole_parts(band.stage_ns, round(band.latency_ns)), strict=True)),
        stage_caps={stage: cap.ns if cap else None for stage, cap in caps.items()},
        total_cap=total.ns if total else None,
        value_ns=value_ns,
        why=lambda cause, stage, excess: measured.why(percentile, cause, stage, excess),
        certain=lambda cause: measured.certain(percentile, cause),
    )


def _all_slow(measured: Measured, budget: Budget) -> AllSlow | None:
    """What the requests are made of, where every one of them exceeds the cap at p95, however few they are."""
    cap, everyone = cap_of(budget.caps), measured.overall
    if cap is None or everyone is None or int(measured.table.latency_ns.min()) <= cap.ns:
        return None
    case = _case(measured, everyone, None, {}, cap, cap.percentile, round(everyone.latency_ns))
    found = everything_slow(case)
    n = len(measured.table)
    return AllSlow(cap.percentile, cap.ns, n, round(everyone.latency_ns), found.culprit, found.any_of)


def _parts_over(measured: Measured, budget: Budget) -> PartsOver | None:
    spoken = [quantile for quantile in measured.total if quantile.percentile <= MAIN_PERCENTILE and quantile.reached]
    if not spoken or spoken[-1].independence != "unknown":
        return None
    cap = cap_of(budget.caps, spoken[-1].percentile)
    return None if cap is None or cap.borrowed else parts_over(measured.table, cap.percentile, cap.ns)


def _streaming(band: BandMeans, stages: tuple[BandStage, ...]) -> Streaming | None:
    if band.streaming is None:
        return None
    whole = next((stage.mean_ns for stage in stages if stage.stage == "inference"), 0)
    return Streaming(*whole_parts(np.array(band.streaming), whole))


def _services(causes: Causes, band: BandMeans) -> tuple[ServicePart, ...]:
    """The mean time by service, hops charged to where they go; the largest first."""
    called = [
        causes.places[hop] if hop >= 0 else causes.services[own]
        for hop, own in zip(causes.hop, causes.service, strict=True)
    ]
    names = sorted(set(called))
    means = np.zeros(len(names))
    np.add.at(means, [names.index(name) for name in called], band.cause_ns)
    latency = round(band.latency_ns)
    parts = zip(names, whole_parts(means, latency), strict=True)
    found = [ServicePart(name, ns, ns / latency if latency else 0.0) for name, ns in parts if ns > 0]
    return tuple(sorted(found, key=lambda part: (-part.mean_ns, part.service_name)))


def _mean_request(measured: Measured, band: BandMeans | None, shown: list[str]) -> MeanRequest | None:
    if band is None:
        return None
    names = measured.table.stages
    latency = round(band.latency_ns)
    means = dict(zip(names, whole_parts(band.stage_ns, latency), strict=True))
    stages = tuple(
        {"stage": stage, "mean_ns": means.get(stage, 0), "share": means.get(stage, 0) / latency if latency else 0.0}
        for stage in shown
    )
    return MeanRequest(band.requests, latency, stages, _services(measured.causes, band))


def _routes(measured: Measured, budget: Budget) -> tuple[RouteReview, ...]:
    """Each route; only those that the budget names are judged by caps of their own."""
    found = []
    for route in measured.routes:
        held_to = budget.for_route(route.route) if budget.own_of(route.route) else Budget()
        stages = stage_rows(measured, list(held_to.stages), held_to, route.stages, route.parts, capped=True)
        first = first_token_rows(measured, route.first_token, held_to.first_token) if route.first_token else ()
        end_to_end = tuple(
            percentile_row(quantile, held_to.caps, counted(route.failed, measured)) for quantile in route.total
        )
        found.append(RouteReview(route.route, route.requests, end_to_end, stages, first))
    return tuple(found)
