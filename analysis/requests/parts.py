"""How long each request spends in the parts of a stage: waiting for first tokens, writing, and what servers tell of both.

The parts are derived at ingest (docs/reference/method.md, "Inside a model call") from the stages that the default rules give.
"""

import duckdb
import numpy as np

from overbudget.analysis.requests.table import I64, RequestTable
from overbudget.kernels.arrow import coded, numbers, row_of
from overbudget.stages.names import PART_NAMES, PARTS

PAIRS = (("first_token", "writing"), ("prefill", "decode"))  # parts that are told together


def part_ns(table: RequestTable, name: str) -> I64:
    """int64[n]: how long each request spends in a part, -1 where it does not record that."""
    if table.parts_ns is None:
        return np.full(len(table), -1, np.int64)
    return table.parts_ns[:, PART_NAMES.index(name)]


def occurring_parts(table: RequestTable) -> list[str]:
    """The parts that any request of `table` has, in the order in which they are shown."""
    return [name for name in PART_NAMES if (part_ns(table, name) > 0).any()]


def read_parts(connection: duckdb.DuckDBPyConnection, table: RequestTable) -> I64:
    """`RequestTable.parts_ns` of a table that has every request of the dataset."""
    ns = np.full((len(table), len(PART_NAMES)), -1, np.int64)
    for stage, parts in PARTS.items():
        whole = _stage_ns(table, stage)
        own = np.zeros((len(table), len(parts)), np.int64)
        valid = np.zeros(len(table), bool)
        if table.entry_span_no is None:
            _read_stored(connection, table, stage, own)
            valid = whole == _stored_ns(connection, table, stage) if table.path is not None else ~valid
        for pair in PAIRS:
            places = [parts.index(part) for part in pair]
            told = (valid & own[:, places].any(axis=1)) | (whole == 0)
            for place in places:
                column = PART_NAMES.index(f"{stage}.{parts[place]}")
                ns[:, column] = np.where(told, np.where(whole == 0, 0, own[:, place]), -1)
    return ns


def _stage_ns(table: RequestTable, stage: str) -> I64:
    if stage not in table.stages:
        return np.zeros(len(table), np.int64)
    return table.stage_ns[:, table.stages.index(stage)]


def _read_stored(connection: duckdb.DuckDBPyConnection, table: RequestTable, stage: str, into: I64) -> None:
    rows = connection.sql(
        "SELECT request_no, part, part_ns FROM data.stage_parts JOIN data.stages USING (stage_id) WHERE stage = $stage",
        params={"stage": stage},
    ).to_arrow_table()
    part = coded(rows["part"])
    place = np.array([PARTS[stage].index(name) for name in part.names], np.int64)
    row = row_of(table.request_no, numbers(rows["request_no"]))
    here = row >= 0
    into[row[here], place[part.codes[here]] if len(place) else part.codes[here]] = numbers(rows["part_ns"])[here]


def _stored_ns(connection: duckdb.DuckDBPyConnection, table: RequestTable, stage: str) -> I64:
    """The stage's time of each request by the default rules."""
    rows = connection.sql(
        "SELECT request_no, stage_ns FROM data.stage_time JOIN data.stages USING (stage_id) WHERE stage = $stage",
        params={"stage": stage},
    ).to_arrow_table()
    found = np.zeros(len(table), np.int64)
    found[row_of(table.request_no, numbers(rows["request_no"]))] = numbers(rows["stage_ns"])
    return found
