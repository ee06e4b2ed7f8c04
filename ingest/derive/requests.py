"""Rows of the relation `requests`: the kernels' results joined with the facts that a request's spans record."""

import duckdb
import numpy as np
import pyarrow as pa

from overbudget.ingest.derive.call_times import Inference
from overbudget.ingest.write.facts import FACT_NAMES
from overbudget.kernels.columns import I32, I64, Requests, Tree
from overbudget.stages.entry_spans import ENTRY, ENVIRONMENT, FAILED, VERSION, WEIGHT
from overbudget.stages.operation_table import Catalogue
from overbudget.stages.recorded_numbers import number_sql, tokens_sql
from overbudget.stages.waits_for_person import Waits, not_waiting_in_flight
from overbudget.store.tables import passing

GOOD_LABELS = ("good", "pass", "passed", "correct", "positive", "relevant", "true", "yes", "thumbs_up")
BAD_LABELS = ("bad", "fail", "failed", "incorrect", "negative", "irrelevant", "false", "no", "thumbs_down")
MOST_SHAPE_NAMES = 40  # operations that a shape names; the rest is only counted


class RequestRows:
    """Requests of all partitions so far; numbered in the order of adding."""

    def __init__(self) -> None:
        self.count = 0
        self._bases: list[pa.Table] = []
        self._facts: list[pa.Table] = []
        self._waits: list[Waits] = []

    def add(
        self, requests: Requests, tree: Tree, span_no: I32, shapes: pa.Array, person: Waits, facts: pa.Table
    ) -> None:
        """One partition's requests; `person` tells when they wait for one. `facts` has a column request_no that counts from 0 within the partition."""
        entry = requests.entry
        self._bases.append(
            pa.table(
                {
                    "request_no": np.arange(self.count, self.count + len(entry), dtype=np.int32),
                    "span_no": span_no[entry],
                    "start_ns": tree.start[entry],
                    "duration_ns": tree.end[entry] - tree.start[entry],
                    "user_ns": person.per_request(len(entry)),
                    "complete": requests.complete,
                    "span_count": requests.span_count,
                    "shape": shapes,
                }
            )
        )
        numbers = facts["request_no"].to_numpy() + np.int32(self.count)
        self._facts.append(facts.set_column(0, "request_no", pa.array(numbers)))
        self._waits.append(person._replace(request=person.request + np.int32(self.count)))
        self.count += len(entry)

    def insert(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Write them all to the relation `requests`."""
        if not self._bases:
            return
        base = pa.concat_tables(self._bases)
        starts, durations = base["start_ns"].to_numpy(), base["duration_ns"].to_numpy()
        base = base.append_column("in_flight", pa.array(not_waiting_in_flight(starts, starts + durations, self._waits)))
        with passing(connection, base=base, said=pa.concat_tables(self._facts)):
            connection.execute(_INSERT)


_INSERT = f"""INSERT INTO requests BY NAME
               SELECT b.request_no, s.trace_id, s.span_id, o.name AS route, b.shape, o.service_name,
                   make_timestamp_ns(b.start_ns) AS start_time, b.start_ns, b.duration_ns, b.user_ns,
                   b.duration_ns - b.user_ns AS latency_ns, s.status_code, {FAILED} AS failed,
                   {ENTRY} AS entry, b.complete, {WEIGHT} AS weight, b.span_count, f.model,
                   f.conversation_id, f.request_id, f.score, f.good, f.input_tokens, f.output_tokens, f.cached_tokens,
                   f.ttft_ns, b.in_flight, {VERSION} AS version,
                   {ENVIRONMENT} AS environment, s.source_id
               FROM base b JOIN data.spans s USING (span_no) JOIN operations o USING (operation_id)
               JOIN data.resources r USING (resource_id) LEFT JOIN said f ON f.request_no = b.request_no
               ORDER BY b.request_no"""


def fold_facts(
    connection: duckdb.DuckDBPyConnection,
    tree: Tree,
    span_no: I32,
    request_of: I32,
    inference: Inference,
    first_token_ns: I64,
    calls: pa.Table,
) -> pa.Table:
    """One row per request that has any fact: request_no and its model, ids, tokens, time to first token, score.

    Tokens are summed over the model `calls` (their request_no and tokens), each counted once however often it is recorded;
    without such calls the largest number any span records counts. The model is that of the longest span that records one,
    inference spans first. `first_token_ns` is of each request, -1 for none.
    """
    took = tree.end - tree.start
    nodes = {
        "span_no": span_no,
        "request_no": request_of,
        "start_ns": tree.start,
        "weight": took + np.where(inference.own, np.int64(1) << 60, 0),
    }
    told = np.flatnonzero(first_token_ns >= 0)
    first = {"request_no": told.astype(np.int32), "ttft_ns": first_token_ns[told]}
    with passing(connection, nodes=pa.table(nodes), first=pa.table(first), calls=calls):
        return connection.sql(_FOLD).to_arrow_table()


def _fact(name: str) -> str:
    return f"fact = {FACT_NAMES.index(name)}"


_COUNTED = ("input_tokens", "output_tokens", "cached_tokens")
_TOKENS = " OR ".join(map(_fact, _COUNTED))
# A header's value is a list in OTLP: its first entry is the id as recorded elsewhere.
_FIRST_OF_LIST = r"""nullif(trim(regexp_replace(request_id, '^\["(.*?)"[,\]].*$', '\1')), '')"""

# Only facts that need it are cast: failing casts are slow, and a FILTER would come after them.
_FOLD = f"""
WITH said AS (
    SELECT n.request_no, n.start_ns, n.weight, f.fact,
        nullif(trim(f.value, '" '), '') AS text, -- without JSON's quotes; an id that is empty names nothing
        CASE WHEN {_TOKENS} THEN {tokens_sql("value")} END AS tokens,
        CASE WHEN {_fact("score")} THEN {number_sql("value")} END AS score,
        CASE WHEN {_fact("label")} THEN lower(value) END AS label
    FROM facts f JOIN nodes n USING (span_no) WHERE n.request_no >= 0
), folded AS (SELECT
    request_no,
    arg_max(text, weight) FILTER ({_fact("model")}) AS model,
    arg_min(text, start_ns) FILTER ({_fact("conversation_id")}) AS conversation_id,
    arg_min(text, start_ns) FILTER ({_fact("request_id")}) AS request_id,
    arg_max(score, start_ns) FILTER ({_fact("score")}) AS score,
    CASE WHEN arg_max(label, start_ns) FILTER ({_fact("label")}) IN {GOOD_LABELS} THEN true
         WHEN arg_max(label, start_ns) FILTER ({_fact("label")}) IN {BAD_LABELS} THEN false END AS good,
    {", ".join(f"max(tokens) FILTER ({_fact(name)}) AS {name}" for name in _COUNTED)}
FROM said GROUP BY request_no
), called AS (
    SELECT request_no, {", ".join(f"sum({name})::BIGINT AS {name}" for name in _COUNTED)} FROM calls GROUP BY request_no
)
SELECT folded.* REPLACE ({_FIRST_OF_LIST} AS request_id,
    {", ".join(f"coalesce(called.{name}, folded.{name})::BIGINT AS {name}" for name in _COUNTED)}), first.ttft_ns
FROM folded LEFT JOIN first USING (request_no) LEFT JOIN called USING (request_no)
"""


def shape_texts(tree: Tree, requests: Requests, catalogue: Catalogue) -> pa.Array:
    """The shape of each request: the distinct names directly below its entry span, sorted, joined by " | "."""
    request_of_entry = np.full(len(tree.row), -1, np.int32)
    request_of_entry[requests.entry] = np.arange(len(requests.entry), dtype=np.int32)
    parent = tree.parent
    request = np.where(parent >= 0, request_of_entry[np.maximum(parent, 0)], -1)
    children = np.flatnonzero(request >= 0)
    name = catalogue.name_codes[tree.operation[children]].astype(np.int64)
    names = len(catalogue.names)
    pairs = np.unique(request[children].astype(np.int64) * names + name)
    owner, name = pairs // names, pairs % names
    with np.errstate(over="ignore"):
        mixed = (name.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0x94D049BB133111EB)
        starts = np.searchsorted(owner, np.arange(len(requests.entry) + 1))
        sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mixed, dtype=np.uint64)])
        hashes = sums[starts[1:]] - sums[starts[:-1]]
    _, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    texts = []
    for request_no in first.tolist():
        found = [catalogue.names[code] for code in name[starts[request_no] : starts[request_no + 1]].tolist()]
        rest = f" | and {len(found) - MOST_SHAPE_NAMES} more" if len(found) > MOST_SHAPE_NAMES else ""
        texts.append(" | ".join(sorted(found)[:MOST_SHAPE_NAMES]) + rest)
    return pa.DictionaryArray.from_arrays(pa.array(inverse.astype(np.int32)), pa.array(texts, pa.string()))
