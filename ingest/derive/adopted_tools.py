"""Tool calls of a model call that are recorded as its siblings instead of its children.

Some agents run tools while the model call's span is still open, and start both below the turn. The call waits for them,
so they are its children (docs/reference/method.md, "Critical path"). The semantic conventions alone decide this, never a
budget's rules.
"""

from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa

from overbudget.kernels.arrow import flags, numbers
from overbudget.kernels.columns import I32, U64, SpanColumns
from overbudget.kernels.overlap import overlapping
from overbudget.stages.attribute_keys import OUTPUT_KEYS, OUTPUT_PREFIX
from overbudget.stages.operation_table import Catalogue
from overbudget.store.tables import passing

CALL_ID_KEYS = ("gen_ai.tool.call.id", "tool_call.id", "tool.call.id", "ai.toolCall.id")
OUTPUT_EVENT = "(?i)choice|output|completion|response|chunk|delta|token"

_TIMES = """
SELECT s.span_no, dense_rank() OVER (ORDER BY s.trace_id) AS trace, s.start_ns, coalesce(s.end_ns, s.start_ns) AS end_ns,
    list_contains($tools, s.operation_id)::TINYINT AS is_tool
FROM data.spans s WHERE list_contains($tools, s.operation_id) OR list_contains($calls, s.operation_id)
ORDER BY trace, s.start_ns, s.span_no
"""
_PARENTS = f"""
WITH tool AS (
    SELECT s.*, o.service_name, o.scope_name,
        list_filter(attributes, lambda entry: entry."key" IN {CALL_ID_KEYS})[1]."value" AS call_id
    FROM data.spans s JOIN operations o USING (operation_id) WHERE span_no IN (SELECT tool FROM pairs)
), call AS (
    SELECT s.*, o.service_name, o.scope_name, list_transform(
        list_filter(attributes, lambda entry: entry."key" IN {OUTPUT_KEYS} OR starts_with(entry."key", '{OUTPUT_PREFIX}')),
        lambda entry: coalesce(entry."value", '')) AS outputs
    FROM data.spans s JOIN operations o USING (operation_id) WHERE span_no IN (SELECT call FROM pairs)
), heard AS (
    SELECT span_no, max(time_ns) AS last_ns FROM data.events
    WHERE span_no IN (SELECT call FROM pairs) AND regexp_matches(name, '{OUTPUT_EVENT}') GROUP BY span_no
), judged AS (
    SELECT t.span_no, c.span_id AS call, c.start_ns AS call_start_ns,
        c.parent_span_id = t.parent_span_id AND c.start_ns <= t.start_ns AND t.end_ns <= c.end_ns AS encloses,
        t.call_id IS NOT NULL AND len(list_filter(c.outputs, lambda text: contains(text, t.call_id))) > 0 AS named,
        t.call_id IS NULL OR len(c.outputs) = 0 AS without_ids,
        c.service_name = t.service_name AND c.scope_name = t.scope_name AS alike,
        coalesce(h.last_ns <= t.start_ns, true) AS silent
    FROM pairs p JOIN tool t ON t.span_no = p.tool JOIN call c ON c.span_no = p.call
    LEFT JOIN heard h ON h.span_no = c.span_no
)
SELECT span_no, ('0x' || coalesce(
    arg_max(call, call_start_ns) FILTER (encloses AND named),
    any_value(call) FILTER (encloses AND alike AND without_ids AND silent)))::UBIGINT AS parent
FROM judged GROUP BY span_no
HAVING count(*) FILTER (encloses AND named) > 0
    OR (count(DISTINCT call) FILTER (alike) = 1 AND count(*) FILTER (encloses AND alike AND without_ids AND silent) > 0)
ORDER BY span_no
"""


class Adopted(NamedTuple):
    """Spans (by span_no, ascending) and the span id of the model call that becomes the parent of each."""

    span_no: I32
    parent: U64

    def below_their_calls(self, columns: SpanColumns, span_no: I32) -> SpanColumns:
        """`columns` with the adopted spans below their calls; `span_no` is the span of each row."""
        place = np.searchsorted(self.span_no, span_no)
        place[place == len(self.span_no)] = 0
        if not len(self.span_no):
            return columns
        here = self.span_no[place] == span_no
        return columns._replace(parent_id=np.where(here, self.parent[place], columns.parent_id))


def adopted_tools(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> Adopted:
    """The tool calls of a dataset that are recorded as siblings of the model call that encloses them.

    The call is the one whose recorded output contains the tool's call id. Where ids or outputs are not recorded, it is the
    only call of the same service and scope that overlaps the tool at all, if it records no output before the tool ends.
    """
    operations = {
        stage: [
            number for number, decided in enumerate(catalogue.decisions) if decided.stage == stage and not decided.weak
        ]
        for stage in ("tools", "inference")
    }
    if not operations["tools"] or not operations["inference"]:
        return Adopted(np.zeros(0, np.int32), np.zeros(0, np.uint64))
    spans = connection.sql(
        _TIMES, params={"tools": operations["tools"], "calls": operations["inference"]}
    ).to_arrow_table()
    with passing(connection, pairs=_overlapping_pairs(spans)):
        rows = connection.sql(_PARENTS).to_arrow_table()
    return Adopted(numbers(rows["span_no"]), numbers(rows["parent"]))


def _overlapping_pairs(spans: pa.Table) -> pa.Table:
    """The tool calls and the model calls of their traces that run at the same time, by span_no."""
    span_no, trace, start, end = (numbers(spans[name]) for name in ("span_no", "trace", "start_ns", "end_ns"))
    is_tool = flags(spans["is_tool"])
    tools, calls = np.flatnonzero(is_tool), np.flatnonzero(~is_tool)
    tool, call = overlapping(trace[tools], start[tools], end[tools], trace[calls], start[calls], end[calls])
    return pa.table({"tool": span_no[tools[tool]], "call": span_no[calls[call]]})
