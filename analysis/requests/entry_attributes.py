"""Any attribute of the requests' entry spans or their resources, read when a filter needs it."""

from dataclasses import dataclass

import duckdb
import pyarrow as pa

from overbudget.kernels.arrow import Coded, coded, numbers, row_of
from overbudget.kernels.columns import I32
from overbudget.store.tables import passing

_VALUES = """
SELECT e.request_no, coalesce(list_filter(s.attributes, lambda x: x."key" = $key)[1]."value",
    list_filter(r.attributes, lambda x: x."key" = $key)[1]."value", '') AS "value"
FROM entries e JOIN data.spans s USING (span_no) JOIN data.resources r USING (resource_id) ORDER BY e.request_no
"""
_NAMES = """
SELECT e.request_no, coalesce(s.name, o.name) AS name
FROM entries e JOIN data.spans s USING (span_no) JOIN operations o USING (operation_id) ORDER BY e.request_no
"""
_STORED = """
SELECT q.request_no, s.span_no FROM requests q JOIN data.spans s ON s.trace_id = q.trace_id AND s.span_id = q.span_id
"""


@dataclass(frozen=True)
class EntryAttributes:
    """Where the attributes of entry spans are read from; `own` has the entry span (span_no) of each request where a
    budget's `[request] match` chose other spans as requests."""

    connection: duckdb.DuckDBPyConnection
    own: pa.Table | None = None  # request_no, span_no

    def of(self, key: str, request_no: I32) -> Coded:
        """Each request's value of the attribute `key`: the entry span's, else its resource's, else none."""
        return self._asked(_VALUES, request_no, {"key": key})

    def names(self, request_no: I32) -> Coded:
        """The name of each request's entry span as recorded, with ids."""
        return self._asked(_NAMES, request_no, {})

    def _asked(self, query: str, request_no: I32, params: dict[str, str]) -> Coded:
        cursor = self.connection.cursor()  # the dashboard's threads share this object
        with passing(cursor, entries=cursor.sql(_STORED).to_arrow_table() if self.own is None else self.own):
            rows = cursor.sql(query, params=params).to_arrow_table()
        return coded(rows[1], none="").take(row_of(numbers(rows["request_no"]), request_no))
