"""Model calls: how many tokens each read and wrote, and how long it took."""

from dataclasses import dataclass
from functools import cached_property

import duckdb
import numpy as np
import numpy.typing as npt

from overbudget.analysis.causes.token_costs import CallSample
from overbudget.kernels.arrow import Coded, coded, numbers, table_of
from overbudget.kernels.columns import I32, I64
from overbudget.store.tables import passing

Bool = npt.NDArray[np.bool_]

# `wanted` has the spans.
_CALLS = """
SELECT span_no, coalesce(model, '') AS model, coalesce(input_tokens, -1) AS given, coalesce(output_tokens, -1) AS answer,
    coalesce(cached_tokens, 0) AS cached, duration_ns AS took_ns, coalesce(first_token_ns, -1) AS first_ns,
    (status_code = 'ERROR')::TINYINT AS failed
FROM data.model_calls SEMI JOIN wanted USING (span_no) JOIN data.spans s USING (span_no)
WHERE s.end_ns >= s.start_ns AND (input_tokens IS NOT NULL OR output_tokens IS NOT NULL) ORDER BY span_no
"""


@dataclass(frozen=True)
class TokenCalls:
    """Model calls that record tokens, one a row, ascending by `span_no`. `prompt` are the tokens that did not come from the
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


def read_token_calls(connection: duckdb.DuckDBPyConnection, span_no: I32 | None = None) -> TokenCalls:
    """The model calls that record tokens: those among the given spans, or all; what a call records is in `model_calls`."""
    if span_no is None:
        span_no = numbers(connection.sql("SELECT span_no FROM data.model_calls").to_arrow_table()["span_no"])
    with passing(connection, wanted=table_of(span_no=span_no)):
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
