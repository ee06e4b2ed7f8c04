"""Figures that not every request records: first tokens, and the parts of stages."""

from dataclasses import dataclass

import numpy as np

from overbudget.analysis.common.bands import Band
from overbudget.analysis.common.percentiles import I64, Quantile, quantiles
from overbudget.analysis.requests.parts import occurring_parts, part_ns
from overbudget.analysis.requests.table import RequestTable


@dataclass(frozen=True)
class Told:
    """Percentiles of a figure that not every request (or model call) records: over those that do; `without` counts the others."""

    quantiles: list[Quantile]
    without: int = 0


def told(values: I64, table: RequestTable, rows: I64, percentiles: tuple[int, ...]) -> Told:
    """Percentiles of `values` (int64[n], -1 where not recorded) over the requests at `rows`."""
    known = rows[values[rows] >= 0]
    found = quantiles(values[known], percentiles, table.start_ns[known], table.weight[known])[0]
    return Told(found, len(rows) - len(known))


def told_of_parts(table: RequestTable, rows: I64, percentiles: tuple[int, ...]) -> dict[str, Told]:
    """Every part that occurs among all requests of `table`, over those at `rows`."""
    return {name: told(part_ns(table, name), table, rows, percentiles) for name in occurring_parts(table)}


def no_values(percentiles: tuple[int, ...]) -> list[Quantile]:
    """The percentiles of nothing."""
    return quantiles(np.zeros(0, np.int64), percentiles)[0]


def mean_parts(band: Band, table: RequestTable) -> tuple[float, float, float] | None:
    """The mean inference time of a band before first tokens, after them, and of requests that record none; None where none of
    them records any."""
    if "inference" not in table.stages:
        return None
    first, writing = (part_ns(table, f"inference.{part}")[band.rows] for part in ("first_token", "writing"))
    if not (first + writing > 0).any():
        return None
    inference = table.stage_ns[band.rows, table.stages.index("inference")]
    before = np.clip(first, 0, inference)
    after = np.clip(writing, 0, inference - before)
    untold = inference - before - after
    return float(band.weights @ before), float(band.weights @ after), float(band.weights @ untold)
