"""What spans say about their request (model, tokens, ids, scores), picked from their attributes in one pass.

Facts are held aside while a dataset is built, one row per span and fact, and folded into the relation `requests`.
"""

import numba
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis import semconv
from ingest.batch import SpanBatch
from ingest.hashing import codes_of, list_parts, one_chunk

# Per fact: the attribute keys that record it, best evidence first.
FACTS: dict[str, tuple[str, ...]] = {
    "model": semconv.MODEL_KEYS,
    "input_tokens": semconv.INPUT_TOKEN_KEYS,
    "output_tokens": semconv.OUTPUT_TOKEN_KEYS,
    "cached_tokens": semconv.CACHED_TOKEN_KEYS,
    "ttft_s": semconv.TTFT_SECONDS_KEYS,
    "ttft_ms": semconv.TTFT_MILLISECONDS_KEYS,
    "ttft_at": semconv.TTFT_TIMESTAMP_KEYS,
    "conversation_id": semconv.CONVERSATION_KEYS,
    "request_id": semconv.REQUEST_ID_KEYS,
    "score": semconv.SCORE_VALUE_KEYS,
    "label": semconv.SCORE_LABEL_KEYS,
}
FACT_NAMES = (*FACTS, "ttft_ns")
FIRST_TOKEN_EVENT = r"(?i)first[_. -]?(token|chunk)|^gen_ai\.content\.completion\.chunk$"

SCHEMA = pa.schema([("span_no", pa.int32()), ("fact", pa.int8()), ("value", pa.string())])

_SLOT = {key: (slot, rank) for slot, keys in enumerate(FACTS.values()) for rank, key in enumerate(keys)}


@numba.njit(
    numba.types.Tuple((numba.int32[:], numba.int8[:], numba.int32[:]))(
        numba.types.Array(numba.int32, 1, "C", readonly=True),
        numba.types.Array(numba.int32, 1, "C", readonly=True),
        numba.types.Array(numba.int8, 1, "C", readonly=True),
        numba.types.Array(numba.int8, 1, "C", readonly=True),
        numba.int64,
    ),
    cache=True,
    nogil=True,
)
def _pick(lists, codes, slot, rank, slots):  # type: ignore[no-untyped-def]
    """For each span and slot the entry whose key ranks first: (spans, slots, entries)."""
    hits = 0
    for j in range(codes.size):
        if slot[codes[j]] >= 0:
            hits += 1
    spans, facts, entries = np.empty(hits, np.int32), np.empty(hits, np.int8), np.empty(hits, np.int32)
    best, best_rank = np.empty(slots, np.int32), np.empty(slots, np.int8)
    count = 0
    for i in range(lists.size - 1):
        best_rank[:] = 127
        found = False
        for j in range(lists[i], lists[i + 1]):
            s = slot[codes[j]]
            if s >= 0 and rank[codes[j]] < best_rank[s]:
                best_rank[s], best[s], found = rank[codes[j]], j, True
        if found:
            for s in range(slots):
                if best_rank[s] < 127:
                    spans[count], facts[count], entries[count] = i, s, best[s]
                    count += 1
    return spans[:count], facts[:count], entries[:count]


def facts_of(batch: SpanBatch, first_span_no: int) -> pa.Table:
    """The facts of a batch with the schema SCHEMA; `fact` is an index into FACT_NAMES."""
    tables = [_from_attributes(batch, first_span_no), _from_events(batch, first_span_no)]
    return pa.concat_tables(tables)


def _from_attributes(batch: SpanBatch, first_span_no: int) -> pa.Table:
    lists, keys, values = list_parts(batch.spans["attributes"])
    places = [_SLOT.get(key, (-1, 0)) for key in keys.dictionary.to_pylist()]
    slot = np.array([place[0] for place in places], np.int8)
    if not (slot >= 0).any():
        return SCHEMA.empty_table()
    rank = np.array([place[1] for place in places], np.int8)
    spans, facts, entries = _pick(lists, codes_of(keys), slot, rank, len(FACTS))
    return pa.table([spans + np.int32(first_span_no), facts, values.take(pa.array(entries))], schema=SCHEMA)


def _from_events(batch: SpanBatch, first_span_no: int) -> pa.Table:
    """Time to first token by the first event of a span that is named like one."""
    events = batch.events
    if events.num_rows == 0:
        return SCHEMA.empty_table()
    names = one_chunk(events["name"]).dictionary_encode()
    named = np.append(pc.match_substring_regex(names.dictionary, FIRST_TOKEN_EVENT).to_numpy(zero_copy_only=False), False)
    rows = np.flatnonzero(named[codes_of(names)])
    if len(rows) == 0:
        return SCHEMA.empty_table()
    times = events["time_ns"].fill_null(0).to_numpy()[rows]
    rows, times = rows[times > 0], times[times > 0]
    spans = events["span"].to_numpy()[rows]
    order = np.lexsort((times, spans))
    spans, times = spans[order], times[order]
    first = np.flatnonzero(np.diff(spans, prepend=-1))
    spans, times = spans[first], times[first]
    waits = times - batch.spans["start_ns"].to_numpy()[spans]
    fact = np.full(len(spans), FACT_NAMES.index("ttft_ns"), np.int8)
    return pa.table([spans + np.int32(first_span_no), fact, pa.array(waits).cast(pa.string())], schema=SCHEMA)
