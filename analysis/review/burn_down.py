"""How much of the total cap is left when each stage takes the critical path (docs/reference/method.md, The budget along
the way)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from overbudget.analysis.common.percentiles import F64
from overbudget.analysis.requests.path import PathTable
from overbudget.analysis.requests.table import I32, I64, RequestTable
from overbudget.kernels.arrow import row_of
from overbudget.stages.names import UNATTRIBUTED

MOST_VISITS = 3  # of a stage that are told; a loop comes back to it more often


@dataclass(frozen=True)
class Left:
    """What is left of the cap at a percentile when `stage` takes the path for the `visit`-th time: the mean over the
    `requests` of the band that have that visit, negative where it is overspent; and over typical requests that have it,
    None where none has."""

    percentile: int
    stage: str
    visit: int
    left_ns: int
    typical_ns: int | None
    requests: int


@dataclass(frozen=True)
class RunsOut:
    """In which stage the cap runs out for most requests of the band at a percentile, and the share of them."""

    percentile: int
    stage: str
    share: float


@dataclass(frozen=True)
class Visits:
    """Uninterrupted stays of the critical path in one stage, by column, in order of time within each request.

    `row` is the request's row of the table, `stage` an index into its stages, `number` counts the visits of that stage in
    that request from 1, `at_ns` is the latency until then: waits for a person are not in it.
    """

    row: I32
    stage: I32
    number: I32
    at_ns: I64


class Along(NamedTuple):
    """The way of a band through its cap: what is left on arrival at each stage, and where it runs out."""

    left: tuple[Left, ...]
    runs_out: RunsOut | None


def visits_of(path: PathTable, table: RequestTable) -> Visits:
    """The visits on the critical paths of the requests in `table`."""
    row = row_of(table.request_no, path.request_no)
    order = np.flatnonzero((row >= 0) & (path.duration_ns > 0))
    if (np.diff(row[order]) < 0).any():
        order = order[np.argsort(row[order], kind="stable")]
    row, stage, took = row[order], path.stage[order].astype(np.int32), path.duration_ns[order]
    first = np.ones(len(row), bool)
    first[1:] = row[1:] != row[:-1]
    passed = np.cumsum(took) - took
    at_ns = passed - np.maximum.accumulate(np.where(first, passed, 0))
    begins = np.flatnonzero(first | np.append(True, stage[1:] != stage[:-1])[: len(row)])
    row, stage, at_ns = row[begins], stage[begins], at_ns[begins]
    key = row.astype(np.int64) * len(table.stages) + stage
    by_key = np.argsort(key, kind="stable")
    place = np.arange(len(key))
    heads = np.ones(len(key), bool)
    heads[1:] = key[by_key][1:] != key[by_key][:-1]
    number = np.empty(len(key), np.int32)
    number[by_key] = place - np.maximum.accumulate(np.where(heads, place, 0)) + 1
    return Visits(row, stage, number, at_ns)


def left_on_arrival(
    visits: Visits, stages: Sequence[str], percentile: int, cap_ns: int, band: F64, typical: F64
) -> tuple[Left, ...]:
    """What is left when each stage takes the path, in the order in which they do.

    `band` and `typical` have each request's weight among those around the percentile, and among typical ones.
    """
    told = np.array([stage != UNATTRIBUTED for stage in stages], bool)
    told_visits = np.flatnonzero(told[visits.stage] & (visits.number <= MOST_VISITS))
    row, at_ns = visits.row[told_visits], visits.at_ns[told_visits]
    key = visits.stage[told_visits] * MOST_VISITS + visits.number[told_visits] - 1
    size = len(stages) * MOST_VISITS
    count = np.bincount(key[band[row] > 0], minlength=size)
    reached, usual = (_means(key, at_ns, weights[row], size) for weights in (band, typical))
    places = sorted(np.flatnonzero(count).tolist(), key=lambda place: (reached[place], place))
    return tuple(
        Left(
            percentile,
            stages[place // MOST_VISITS],
            place % MOST_VISITS + 1,
            cap_ns - round(reached[place]),
            None if np.isnan(usual[place]) else cap_ns - round(usual[place]),
            int(count[place]),
        )
        for place in places
    )


def _means(key: I32, at_ns: I64, weight: F64, size: int) -> F64:
    """The weighted mean of each key, NaN where it has no weight."""
    whole = np.bincount(key, weight, minlength=size)
    sums = np.bincount(key, weight * at_ns, minlength=size)
    return np.asarray(np.divide(sums, whole, out=np.full(size, np.nan), where=whole > 0))


def runs_out(
    visits: Visits, stages: Sequence[str], percentile: int, cap_ns: int, band: F64, latency_ns: I64
) -> RunsOut | None:
    """The stage in which the cap runs out for the largest part of the band; None where no request of it is over."""
    there = np.flatnonzero((band[visits.row] > 0) & (latency_ns[visits.row] > cap_ns) & (visits.at_ns <= cap_ns))
    if not len(there):
        return None
    row = visits.row[there]
    last = there[np.append(row[1:] != row[:-1], True)]
    shares = np.bincount(visits.stage[last], band[visits.row[last]], minlength=len(stages))
    stage = int(shares.argmax())
    return RunsOut(percentile, stages[stage], round(float(shares[stage]), 4))
