"""Which times a span can have: one rule for all readers."""

import numpy as np
import numpy.typing as npt

from overbudget.ingest.report import FileReport
from overbudget.kernels.columns import LONGEST, TOO_LATE

Times = npt.NDArray[np.int64]


def usable_times(times: Times, what: str, report: FileReport) -> tuple[Times, npt.NDArray[np.bool_]]:
    """Times in ns since the epoch, 0 where there is none or one that no timestamp can hold; and which those were.

    Unsigned numbers beyond the 63rd bit look negative here. `what` is "an end" or "an event", which spans can do without and
    which are reported; "" for starts: their spans are rejected later on.
    """
    late = (times < 0) | (times >= TOO_LATE)
    if not late.any():
        return times, late
    if what:
        report.warn("bad_time", f"{what} {told_late(times, late)}; taken as absent", int(late.sum()))
    return np.where(late, 0, times), late


def told_late(times: Times, late: npt.NDArray[np.bool_]) -> str:
    """The message about the first time that is too late."""
    return f"at {int(times[late][0].view(np.uint64))} is after the year 2261"


def ends_that_can_be_meant(start: Times, end: Times, report: FileReport) -> Times:
    """The ends, 0 where one is so long after its start that it must be wrong."""
    absurd = (start > 0) & (end - start > LONGEST)
    if not absurd.any():
        return end
    first = int(np.flatnonzero(absurd)[0])
    told = f"an end at {end[first]} is more than a year after its start at {start[first]}; taken as absent"
    report.warn("bad_time", told, int(absurd.sum()))
    return np.where(absurd, 0, end)
