"""The percentiles of stages, their parts, first tokens and single model calls against their caps."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from overbudget.analysis.budget.model import Budget, Caps
from overbudget.analysis.common.percentiles import Quantile, Share
from overbudget.analysis.review.first_token import FirstTokenCause, first_token_cause
from overbudget.analysis.review.measure import Measured
from overbudget.analysis.review.rows import CallRow, FirstTokenRow, StageRow
from overbudget.analysis.review.told import Told, no_values
from overbudget.analysis.review.verdicts import percentile_row
from overbudget.stages.names import part_of, stage_order


def stage_rows(
    measured: Measured,
    names: list[str],
    budget: Budget,
    per_stage: list[list[Quantile]],
    parts: Mapping[str, Told],
    capped: bool = False,
) -> tuple[StageRow, ...]:
    """The rows of stages, each followed by its parts; of those that have caps where `capped`."""
    found = []
    for name in stage_order([*names, *(name for name in budget.stages if part_of(name) is not None)]):
        caps = budget.stage_caps(name)
        if capped and not caps:
            continue
        if part_of(name) is not None:
            found += _part_rows(measured, name, parts.get(name), caps)
        else:
            found += [_stage_row(measured, name, one, caps) for one in _of_stage(measured, per_stage, name)]
    return tuple(found)


def _stage_row(measured: Measured, stage: str, quantile: Quantile, caps: Caps) -> StageRow:
    row = asdict(percentile_row(quantile, caps))
    if row["verdict"] is not None and not is_present(measured, stage):
        row["verdict"] = "unknown"  # no span shows how long this stage takes: 0 would be a guess
    return StageRow(**row, stage=stage)


def _part_rows(measured: Measured, name: str, told: Told | None, caps: Caps) -> list[StageRow]:
    if told is None and not caps:
        return []
    told = told or Told(no_values(measured.percentiles), len(measured.table))
    return [StageRow(**_told_row(one, told, caps), stage=name, part_of=part_of(name)) for one in told.quantiles]


def _told_row(quantile: Quantile, told: Told, caps: Caps, failed: Share | None = None) -> dict[str, Any]:
    """A percentile over those that record a figure. Where most do not, nothing is judged: they may be the slow ones."""
    row = asdict(percentile_row(quantile, caps, failed))
    if row["verdict"] is not None and quantile.n < told.without and not row["failed"]:
        row["verdict"] = "unknown"
    return {**row, "without": told.without}


def first_token_rows(measured: Measured, told: Told, caps: Caps) -> tuple[FirstTokenRow, ...]:
    """The percentiles of the request's first token; none where none is recorded and none is capped."""
    if not caps and not any(one.n for one in told.quantiles):
        return ()
    failed = counted(measured.failed, measured)
    return tuple(FirstTokenRow(**_told_row(one, told, caps, failed)) for one in told.quantiles)


def call_rows(measured: Measured, budget: Budget) -> tuple[CallRow, ...]:
    """The figures of each model call that the budget caps."""
    found = []
    for (kind, name), figures in budget.call_caps().items():
        for figure, caps in figures.items():
            told = measured.of_calls(kind, name, figure)
            found += [
                CallRow(**_told_row(one, told, caps), kind=kind, of=name, figure=figure) for one in told.quantiles
            ]
    return tuple(found)


def late_first_tokens(measured: Measured, caps: Caps) -> tuple[FirstTokenCause, ...]:
    """Why the first token is late, at the highest percentile at which it is over its cap (else may be)."""
    rows = [row for row in reversed(first_token_rows(measured, measured.first_token, caps)) if not row.failed]
    row = next((row for verdict in ("over", "at_risk") for row in rows if row.verdict == verdict), None)
    if row is None or row.budget_ns is None or row.latency_ns is None:
        return ()
    cause = first_token_cause(measured, row.percentile, row.latency_ns, row.budget_ns)
    return () if cause is None else (cause,)


def _of_stage(measured: Measured, per_stage: list[list[Quantile]], stage: str) -> list[Quantile]:
    names = measured.table.stages
    if stage in names:
        return per_stage[names.index(stage)]
    n = len(measured.table)
    return [Quantile(p, n, 0 if n else None, None, None) for p in measured.percentiles]


def counted(failed: Share | None, measured: Measured) -> Share | None:
    """The share of failed requests where they count against the caps."""
    return None if measured.failures_apart else failed


def is_present(measured: Measured, stage: str) -> bool:
    names = measured.table.stages
    return stage in names and measured.table.present[names.index(stage)]
