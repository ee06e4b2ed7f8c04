"""Requests counted by start time and latency, and the requests of each cell."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from overbudget.analysis.requests.table import I64

COLUMNS, ROWS = 48, 26


@dataclass(frozen=True)
class Grid:
    """`counts[row, column]`: a row is a range of latency (equal ratios), a column a stretch of time (equal lengths).

    `starts_ns` (since the epoch) and `latencies_ns` are the edges, one more than there are columns and rows.
    """

    starts_ns: npt.NDArray[np.float64]
    latencies_ns: npt.NDArray[np.float64]
    counts: I64


def grid_of(start_ns: I64, latency_ns: I64) -> Grid:
    """Every request is in one cell. Without requests the grid has no cells."""
    if not len(start_ns):
        return Grid(np.zeros(0), np.zeros(0), np.zeros((0, 0), np.int64))
    starts = np.linspace(start_ns.min(), start_ns.max() + 1, COLUMNS + 1)
    latency = np.maximum(latency_ns, 1_000)
    latencies = np.geomspace(latency.min() * 0.95, latency.max() * 1.05, ROWS + 1)
    counts, _, _ = np.histogram2d(latency, start_ns, bins=[latencies, starts])
    return Grid(starts, latencies, counts.astype(np.int64))


def in_cell(grid: Grid, start_ns: I64, latency_ns: I64, row: int, column: int, limit: int = 20) -> npt.NDArray[np.intp]:
    """Indices of the requests in a cell, slowest first; none where the grid has no such cell."""
    rows, columns = grid.counts.shape
    if not (0 <= row < rows and 0 <= column < columns):
        return np.zeros(0, np.intp)
    inside = np.ones(len(start_ns), bool)
    for values, edges, at in (
        (start_ns, grid.starts_ns, column),
        (np.maximum(latency_ns, 1_000), grid.latencies_ns, row),
    ):
        last = at == len(edges) - 2  # as in a histogram, the last bin includes its upper edge
        inside &= (values >= edges[at]) & ((values <= edges[at + 1]) if last else (values < edges[at + 1]))
    places = np.flatnonzero(inside)
    return places[np.argsort(-latency_ns[places], kind="stable")][:limit]
