"""The model calls of requests with the figures that budgets cap: time to the first token, and per output token."""

from dataclasses import dataclass, fields
from typing import Any

import duckdb
import numpy as np

from overbudget.analysis.requests.table import I16, I32, I64, Bool, RequestTable
from overbudget.kernels.arrow import Coded, coded, numbers, row_of
from overbudget.stages.rules import pattern

_CALLS = """
SELECT c.request_no, t.node, t.stage_id, coalesce(c.model, '') AS model, coalesce(c.first_token_ns, -1) AS first_ns,
    coalesce(CASE WHEN c.output_tokens > 1 THEN c.writing_ns // (c.output_tokens - 1) END, -1) AS per_token_ns,
    coalesce(r.conversation_id, '') AS conversation, coalesce(c.provider, '') AS provider, c.duration_ns AS took_ns,
    CASE WHEN s.status_code = 'ERROR' THEN -1 ELSE coalesce(c.input_tokens, -1) END AS given,
    least(greatest(coalesce(c.cached_tokens, 0), 0), coalesce(c.input_tokens, 0)) AS cached,
    coalesce(c.output_tokens, -1) AS answer
FROM data.model_calls c JOIN data.tree t USING (span_no) JOIN requests r ON r.request_no = c.request_no
    JOIN data.spans s ON s.span_no = c.span_no
"""


@dataclass(frozen=True)
class ModelCalls:
    """Model calls of a dataset by column. `request` is a row of the request table, `stage` indexes its
    stages; `first_ns`, `per_token_ns`, `given` (input tokens, of which `cached` came from the provider's cache; -1 too where the
    call failed) and `answer` (output tokens) are -1 where they are not recorded; `cluster` numbers the call's conversation, or its
    request where that belongs to none: calls of one resemble each other."""

    request: I32
    stage: I16
    model: Coded
    first_ns: I64
    per_token_ns: I64
    cluster: I64
    provider: Coded
    took_ns: I64
    given: I64
    cached: I64
    answer: I64

    def take(self, rows: I64) -> "ModelCalls":
        """The given rows alone."""
        columns: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        chosen: dict[str, Any] = {
            name: column.take(rows) if isinstance(column, Coded) else column[rows] for name, column in columns.items()
        }
        return ModelCalls(**chosen)

    def figure(self, name: str) -> I64:
        """One of analysis.budget.model.CALL_FIGURES of every call."""
        return self.first_ns if name == "call_first_token" else self.per_token_ns

    def of_model(self, name: str) -> Bool:
        """Which calls are of a model that the pattern `name` names: `*` any text, `?` any one character."""
        known = pattern(name)
        return np.array([*(known.fullmatch(model) is not None for model in self.model.names), False])[self.model.codes]


def read_model_calls(connection: duckdb.DuckDBPyConnection, table: RequestTable) -> ModelCalls:
    """Every model call in the requests of `table`, which has all of the dataset."""
    rows = connection.sql(_CALLS).to_arrow_table()
    request_no, node = numbers(rows["request_no"]), numbers(rows["node"])
    if table.request_of_node is not None:
        request_no = table.request_of_node[node]
    stage = numbers(rows["stage_id"]) if table.stage_of_node is None else table.stage_of_node[node]
    request = row_of(table.request_no, request_no)
    conversation = coded(rows["conversation"], none="")
    calls = ModelCalls(
        request=request,
        stage=stage,
        model=coded(rows["model"], none=""),
        first_ns=numbers(rows["first_ns"]),
        per_token_ns=numbers(rows["per_token_ns"]),
        cluster=np.where(conversation.codes >= 0, -1 - conversation.codes.astype(np.int64), request),
        provider=coded(rows["provider"], none=""),
        took_ns=numbers(rows["took_ns"]),
        given=numbers(rows["given"]),
        cached=numbers(rows["cached"]),
        answer=numbers(rows["answer"]),
    )
    return calls if (request >= 0).all() else calls.take(np.flatnonzero(request >= 0))


def conversations_of(connection: duckdb.DuckDBPyConnection, table: RequestTable) -> I32:
    """int32[requests]: the number of each request's conversation, -1 for none or where a budget makes other spans the requests."""
    if table.entry_span_no is not None:
        return np.full(len(table), -1, np.int32)
    rows = connection.sql(
        "SELECT request_no, conversation_id FROM requests WHERE conversation_id IS NOT NULL ORDER BY request_no"
    ).to_arrow_table()
    place = row_of(numbers(rows["request_no"]), table.request_no)
    codes = coded(rows["conversation_id"]).codes
    return np.where(place >= 0, np.append(codes, -1)[place], -1).astype(np.int32)
