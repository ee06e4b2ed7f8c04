"""Spans whose numbers about a model call cannot be meant: no number, infinite, negative, or a time longer than the call."""

import duckdb
import numpy as np
import pyarrow as pa

from overbudget.ingest.write.facts import FACT_NAMES
from overbudget.kernels.arrow import numbers
from overbudget.kernels.columns import I32, Tree
from overbudget.stages.first_token import settled_sql
from overbudget.stages.recorded_numbers import amount_sql, tokens_sql
from overbudget.store.tables import passing


def _duration(units_ns: str) -> str:
    """A time within the call; of a call that has no end, whose length nobody knows, any time that can be."""
    number = f"(try_cast(value AS DOUBLE) * {units_ns})"
    return f"CASE WHEN took_ns > 0 THEN {settled_sql(number, 'took_ns')} ELSE {amount_sql('value')} END"


_USABLE = {
    **dict.fromkeys(("ttft_s", "prefill_s", "decode_s"), _duration("1e9")),
    "ttft_ms": _duration("1e6"),
    **dict.fromkeys(
        ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens"),
        tokens_sql("value"),
    ),
    "cost": amount_sql("value"),
}
_UNUSABLE = " OR ".join(
    f"fact = {FACT_NAMES.index(name)} AND ({usable}) IS NULL AND value <> ''" for name, usable in _USABLE.items()
)
_FOUND = f"SELECT DISTINCT span_no FROM facts JOIN lengths USING (span_no) WHERE {_UNUSABLE} ORDER BY span_no"


def unusable_numbers(connection: duckdb.DuckDBPyConnection, tree: Tree, span_no: I32) -> I32:
    """The spans of some whole traces that record such a number, by span_no. Needs the temporary table `facts`."""
    lengths = pa.table({"span_no": span_no, "took_ns": (tree.end - tree.start).astype(np.int64)})
    with passing(connection, lengths=lengths):
        return numbers(connection.sql(_FOUND).to_arrow_table()["span_no"])
