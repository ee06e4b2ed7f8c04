"""When stored requests wait for a person."""

import duckdb

from overbudget.kernels.arrow import numbers, row_of
from overbudget.kernels.columns import I32
from overbudget.stages.names import ASKS_PERSON
from overbudget.stages.waits_for_person import Waits


def read_waits(connection: duckdb.DuckDBPyConnection, request_no: I32) -> Waits:
    """The waits of these requests by the default rules; `request` in them is the row of `request_no`."""
    rows = connection.sql(
        """SELECT request_no, start_ns, end_ns FROM data.segments JOIN data.stages USING (stage_id) WHERE stage = $person
           ORDER BY request_no, start_ns""",
        params={"person": ASKS_PERSON},
    ).to_arrow_table()
    request, since, until = (numbers(rows[name]) for name in ("request_no", "start_ns", "end_ns"))
    row = row_of(request_no, request)
    return Waits(row[row >= 0], since[row >= 0], until[row >= 0])
