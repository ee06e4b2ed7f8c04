"""Evaluations that a dump holds as log records become events of the spans that they judge."""

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from overbudget.ingest.batch import Evaluation
from overbudget.ingest.formats.json.evaluations import EVENT
from overbudget.ingest.write import facts
from overbudget.ingest.write.writer import coded_lists
from overbudget.kernels.arrow import numbers
from overbudget.store.tables import insert, passing

_PAIRS = pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))
# By the ids of the span, of each copy where one was sent twice: those that go take theirs along. Without ids the call that gave the response that is named, if one alone did.
_JUDGED = f"""
WITH answered AS (
    SELECT value AS response_id, any_value(span_no) AS span_no FROM facts
    WHERE fact = {facts.FACT_NAMES.index("response_id")} AND value IN (SELECT response_id FROM judged) GROUP BY value
    HAVING count(*) = 1
)
SELECT j.place, coalesce(s.span_no, a.span_no) AS span_no FROM judged j
LEFT JOIN data.spans s ON s.trace_id = j.trace_id AND s.span_id = j.span_id
LEFT JOIN answered a ON j.response_id <> '' AND a.response_id = j.response_id
WHERE coalesce(s.span_no, a.span_no) IS NOT NULL ORDER BY place, span_no
"""


def store_evaluations(connection: duckdb.DuckDBPyConnection, evaluations: Sequence[Evaluation]) -> int:
    """Store them as events; how many judge no span of the dataset. Needs the temporary table `facts`."""
    if not evaluations:
        return 0
    judged = {
        "place": range(len(evaluations)),
        "trace_id": [one.trace_id for one in evaluations],
        "span_id": [one.span_id for one in evaluations],
        "response_id": [one.response_id for one in evaluations],
    }
    with passing(connection, judged=pa.table({name: pa.array(list(values)) for name, values in judged.items()})):
        found = connection.sql(_JUDGED).to_arrow_table()
    if not found.num_rows:
        return len(evaluations)
    told = [evaluations[place] for place in found["place"].to_pylist()]
    attributes = pa.array([[{"key": k, "value": v} for k, v in one.attributes] for one in told], _PAIRS)
    span_no, names = found["span_no"], pa.array([EVENT] * len(told))
    rows = {
        "span_no": span_no,
        "time_ns": pa.array([one.time_ns or None for one in told], pa.int64()),
        "name": names,
        "attributes": attributes,
        "dropped_attributes_count": pa.array([0] * len(told), pa.uint32()),
    }
    insert(connection, "data.events", pa.table(rows))
    said = facts.of_evaluations(pa.chunked_array([names]), coded_lists(attributes), numbers(span_no))
    insert(connection, "facts", said)
    return len(evaluations) - len(set(found["place"].to_pylist()))
