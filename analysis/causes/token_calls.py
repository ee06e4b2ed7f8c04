"""Model calls: how many tokens each read and wrote, and how long it took."""

from dataclasses import dataclass
from functools import cached_property

import duckdb
import numpy as np
import numpy.typing as npt

from overbudget.analysis.causes.token_costs import CallSample
from overbudget.kernels.arrow import Coded, coded, numbers, table_of
from overbudget.kernels.columns import I32, I64
from overbudget.stages import attribute_keys as keys
from overbudget.stages.first_token import first_token_sql, instant_sql
from overbudget.stages.recorded_numbers import tokens_sql
from overbudget.store.tables import passing

Bool = npt.NDArray[np.bool_]

# The facts that a call records, and the keys that hold them, the best evidence first.
_SAID = {
    "model": keys.MODEL_KEYS,
    "given": keys.INPUT_TOKEN_KEYS,
    "answer": keys.OUTPUT_TOKEN_KEYS,
    "cached": keys.CACHED_TOKEN_KEYS,
    "first_s": keys.TTFT_SECONDS_KEYS,
    "first_ms": keys.TTFT_MILLISECONDS_KEYS,
    "first_at": keys.TTFT_TIMESTAMP_KEYS,
}
_FIRST = first_token_sql(
    "try_cast(first_s AS DOUBLE)",
    "try_cast(first_ms AS DOUBLE)",
    instant_sql("first_at"),
    "event_ns",
    "start_ns",
    "end_ns",
)
# `wanted` has the spans, `known` has which key records which fact, and its rank. Lists are unnested, because a map of
# all attributes takes six times as long.
_CALLS = f"""
WITH pairs AS (
    SELECT span_no, unnest(attributes, recursive := true) FROM data.spans SEMI JOIN wanted USING (span_no)
), said AS (
    SELECT span_no, {", ".join(f"arg_min(value, rank) FILTER (fact = '{fact}') AS {fact}" for fact in _SAID)}
    FROM pairs JOIN known USING ("key") GROUP BY span_no
), events AS (
    SELECT span_no, min(time_ns) AS event_ns FROM data.events SEMI JOIN wanted USING (span_no)
    WHERE time_ns > 0 AND regexp_matches(name, '{keys.FIRST_TOKEN_EVENT}') GROUP BY span_no
)
SELECT span_no, coalesce(model, '') AS model, coalesce({tokens_sql("given")}, -1) AS given,
    coalesce({tokens_sql("answer")}, -1) AS answer, coalesce({tokens_sql("cached")}, 0) AS cached,
    end_ns - start_ns AS took_ns, coalesce({_FIRST}, -1) AS first_ns, (status_code = 'ERROR')::TINYINT AS failed
FROM said JOIN data.spans USING (span_no) LEFT JOIN events USING (span_no)
WHERE end_ns >= start_ns AND (given IS NOT NULL OR answer IS NOT NULL) ORDER BY span_no
"""


@dataclass(frozen=True)
class TokenCalls:
    """Spans that record tokens, one a row, ascending by `span_no`. `prompt` are the tokens that did not come from the
    provider's cache, `cached` those that did, `answer` those written (-1 for what is not recorded); `first_ns` the time to
    the first token, -1 where it is not recorded."""

    span_no: I32
    model: Coded
    prompt: I64
    cached: I64
    answer: I64
    took_ns: I64
    first_ns: I64
    failed: Bool

    @cached_property
    def fits(self) -> Bool:
        """Which calls a fit can use: both counts are recorded, and the call did not fail."""
        return np.asarray((self.prompt >= 0) & (self.answer >= 0) & ~self.failed & (self.took_ns > 0))

    def sample(self, rows: I64, side: int, conversation: I64) -> CallSample:
        """Some of the calls for a fit; `conversation` is the number of each row's conversation."""
        return CallSample(
            self.took_ns[rows],
            self.first_ns[rows],
            self.prompt[rows],
            self.answer[rows],
            np.full(len(rows), side, np.int32),
            conversation,
        )


def records_tokens(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether any request of the dataset records tokens."""
    found = connection.sql("SELECT count(coalesce(input_tokens, output_tokens)) FROM requests").fetchall()
    return bool(found[0][0])


def read_token_calls(connection: duckdb.DuckDBPyConnection, span_no: I32) -> TokenCalls:
    """The given spans that record tokens."""
    known = [(key, fact, rank) for fact, those in _SAID.items() for rank, key in enumerate(those)]
    key, fact, rank = zip(*known, strict=True)
    said = table_of(key=key, fact=fact, rank=np.array(rank, np.int32))
    with passing(connection, wanted=table_of(span_no=span_no), known=said):
        rows = connection.sql(_CALLS).to_arrow_table()
    given, cached = numbers(rows["given"]), np.maximum(numbers(rows["cached"]), 0)
    return TokenCalls(
        numbers(rows["span_no"]),
        coded(rows["model"]),
        np.where(given >= 0, np.maximum(given - cached, 0), -1),
        cached,
        numbers(rows["answer"]),
        numbers(rows["took_ns"]),
        numbers(rows["first_ns"]),
        numbers(rows["failed"]) == 1,
    )
