"""Facts that spans record about their request (model, tokens, ids, scores), taken from their attributes in one pass.

While a dataset is built, facts are in a temporary table, one row per span and fact; they end up in `requests`.
"""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from overbudget.ingest.batch import SpanBatch
from overbudget.kernels.content_hash import codes_of, list_parts, one_chunk
from overbudget.kernels.jit import READ_I8, READ_I32, kernel
from overbudget.stages import attribute_keys

# Per fact: the attribute keys that record it, best evidence first.
FACTS: dict[str, tuple[str, ...]] = {
    "model": attribute_keys.MODEL_KEYS,
    "input_tokens": attribute_keys.INPUT_TOKEN_KEYS,
    "output_tokens": attribute_keys.OUTPUT_TOKEN_KEYS,
    "cached_tokens": attribute_keys.CACHED_TOKEN_KEYS,
    "cache_write_tokens": attribute_keys.CACHE_WRITE_TOKEN_KEYS,
    "reasoning_tokens": attribute_keys.REASONING_TOKEN_KEYS,
    "cost": attribute_keys.COST_KEYS,
    "provider": attribute_keys.PROVIDER_KEYS,
    "response_id": attribute_keys.RESPONSE_ID_KEYS,
    "ttft_s": attribute_keys.TTFT_SECONDS_KEYS,
    "ttft_ms": attribute_keys.TTFT_MILLISECONDS_KEYS,
    "ttft_at": attribute_keys.TTFT_TIMESTAMP_KEYS,
    "prefill_s": attribute_keys.PREFILL_SECONDS_KEYS,
    "decode_s": attribute_keys.DECODE_SECONDS_KEYS,
    "conversation_id": attribute_keys.CONVERSATION_KEYS,
    "request_id": attribute_keys.REQUEST_ID_KEYS,
    "score": attribute_keys.SCORE_VALUE_KEYS,
    "label": attribute_keys.SCORE_LABEL_KEYS,
    "usage": attribute_keys.USAGE_KEYS,
    "cost_details": attribute_keys.COST_DETAIL_KEYS,
    "finish": attribute_keys.FINISH_KEYS,
    "written": attribute_keys.WRITTEN_KEYS,
    "asks_tool": (),
}
FACT_NAMES = (*FACTS, "ttft_ns")

ASKS_TOOL = FACT_NAMES.index("asks_tool")  # a model call whose answer is a call of a tool
OS_THREAD = "thread.id"  # agents name a conversation so, the conventions a thread of the process: that one is a number
EVALUATION_EVENT = r"^gen_ai\.evaluation\."

SCHEMA = pa.schema([("span_no", pa.int32()), ("fact", pa.int8()), ("value", pa.string())])

_SLOT = {key: (slot, rank) for slot, keys in enumerate(FACTS.values()) for rank, key in enumerate(keys)}
_BY_PATTERN = 100  # the rank of keys that match a pattern: after all others


def _slot_of(key: str) -> tuple[int, int]:
    """Which fact a key records, and how good evidence it is (0 the best); (-1, 0) where it records none."""
    if key in _SLOT:
        return _SLOT[key]
    if evaluation := re.search(attribute_keys.EVALUATION_KEY, key):
        return FACT_NAMES.index(evaluation.group(1)), _BY_PATTERN
    if re.search(attribute_keys.NAMED_SCORE_KEY, key):
        return FACT_NAMES.index("score"), _BY_PATTERN
    if re.search(attribute_keys.ASKS_TOOL_KEY, key):
        return ASKS_TOOL, _BY_PATTERN
    return -1, 0


@kernel(signature=f"Tuple((int32[:], int8[:], int32[:]))({READ_I32}, {READ_I32}, {READ_I8}, {READ_I8}, int64)")
def _pick(lists, codes, slot, rank, slots):
    """For each span and slot the entry whose key ranks first: (spans, slots, entries)."""
    hits = 0
    for j in range(codes.size):
        if slot[codes[j]] >= 0:
            hits += 1
    spans, facts, entries = np.empty(hits, np.int32), np.empty(hits, np.int8), np.empty(hits, np.int32)
    best, best_rank = np.empty(slots, np.int32), np.empty(slots, np.int8)
    count = 0
    for i in range(lists.size - 1):
        for s in range(slots):
            best_rank[s] = 127
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
    count = batch.spans.num_rows
    span_no = np.arange(first_span_no, first_span_no + count, dtype=np.int32)
    tables = [of_attributes(batch.spans["attributes"], span_no)]
    if batch.events.num_rows:
        owner = batch.events["span"].to_numpy()
        start_ns = batch.spans["start_ns"].to_numpy()[owner]
        tables.append(of_events(batch.events["name"], batch.events["time_ns"], span_no[owner], start_ns))
        tables.append(of_evaluations(batch.events["name"], batch.events["attributes"], span_no[owner]))
        tables.append(_of_choices(batch.events["name"], batch.events["attributes"], span_no[owner]))
    return pa.concat_tables(tables)


def of_attributes(attributes: pa.ChunkedArray, span_no: npt.NDArray[np.int32]) -> pa.Table:
    """What attribute lists record; `span_no` is the span of each list."""
    lists, keys, values = list_parts(attributes)
    places = [_slot_of(key) for key in keys.dictionary.to_pylist()]
    slot = np.array([place[0] for place in places], np.int8)
    if not (slot >= 0).any():
        return SCHEMA.empty_table()
    rank = np.array([place[1] for place in places], np.int8)
    spans, facts, entries = _pick(lists, codes_of(keys), slot, rank, len(FACTS))
    known = keys.dictionary.to_pylist()
    if OS_THREAD in known:
        entry = pa.array(entries)
        numbered = (
            pc.match_substring_regex(values.take(entry), r"^\d+$").fill_null(False).to_numpy(zero_copy_only=False)
        )
        kept = ~((codes_of(keys)[entries] == known.index(OS_THREAD)) & numbered)
        spans, facts, entries = spans[kept], facts[kept], entries[kept]
    table = pa.table([span_no[spans], facts, values.take(pa.array(entries))], schema=SCHEMA)
    if np.isin(facts, [_FINISH, _WRITTEN]).any():
        table = _with_tool_turns(table)
    return _with_figures(table) if np.isin(facts, [_USAGE, _COST_DETAILS]).any() else table


_FINISH, _WRITTEN = FACT_NAMES.index("finish"), FACT_NAMES.index("written")


def _with_tool_turns(facts: pa.Table) -> pa.Table:
    """The facts, with one that a tool is asked for in place of the texts that tell it."""
    known = facts["fact"].to_numpy()
    tables = [facts.filter(pa.array((known != _FINISH) & (known != _WRITTEN)))]
    for fact, expression in ((_FINISH, attribute_keys.ASKS_TOOL_FINISH), (_WRITTEN, attribute_keys.ASKS_TOOL_TEXT)):
        said = facts.filter(pa.array(known == fact))
        asks = pc.fill_null(pc.match_substring_regex(one_chunk(said["value"]), expression), False)
        spans = said["span_no"].filter(asks)
        columns = [spans, np.full(len(spans), ASKS_TOOL, np.int8), pa.nulls(len(spans), pa.string())]
        tables.append(pa.table(columns, schema=SCHEMA))
    return pa.concat_tables(tables)


_USAGE, _COST_DETAILS = FACT_NAMES.index("usage"), FACT_NAMES.index("cost_details")


def _figure(names: Sequence[str], number: str = r"\d{1,15}") -> str:
    """An expression for the number after one of these names, in JSON or in a Python dictionary's text."""
    return rf"""["'](?:{"|".join(names)})["']\s*:\s*(?P<figure>{number})"""


_FIGURES = {name: _figure(names) for name, names in attribute_keys.USAGE_FIGURES.items()}
_TOTAL, _UNCACHED = _figure(("total", "total_tokens")), _figure(("input",))
_COST = _figure(("total",), r"[0-9.eE+-]+")
_MODEL = r"""["']model["']\s*:\s*["'](?P<figure>[^"']+)["']"""


def _with_figures(facts: pa.Table) -> pa.Table:
    """The facts, with the numbers inside texts that hold a call's whole usage in place of these texts; separate numbers win."""
    known = facts["fact"].to_numpy()
    usage = facts.filter(pa.array(known == _USAGE))
    texts, spans = one_chunk(usage["value"]), usage["span_no"].to_numpy()
    found = {name: _extracted(texts, expression) for name, expression in _FIGURES.items()}
    total, output = (pc.cast(one, pa.int64()) for one in (_extracted(texts, _TOTAL), found["output_tokens"]))
    uncached = pc.is_valid(_extracted(texts, _UNCACHED))
    given = pc.if_else(uncached, pc.subtract(total, pc.fill_null(output, 0)), None).cast(pa.string())
    found["input_tokens"] = pc.coalesce(found["input_tokens"], given, _extracted(texts, _UNCACHED))
    found["model"] = _extracted(texts, _MODEL)
    parts = [(name, spans, figures) for name, figures in found.items()]
    details = facts.filter(pa.array(known == _COST_DETAILS))
    parts.append(("cost", details["span_no"].to_numpy(), _extracted(one_chunk(details["value"]), _COST)))
    kept = facts.filter(pa.array(~np.isin(known, [_USAGE, _COST_DETAILS])))
    tables = [kept]
    for name, span_no, figures in parts:
        fact = FACT_NAMES.index(name)
        told = kept["span_no"].to_numpy()[kept["fact"].to_numpy() == fact]
        new = figures.is_valid().to_numpy(zero_copy_only=False) & ~np.isin(span_no, told)
        columns = [span_no[new], np.full(int(new.sum()), fact, np.int8), figures.filter(pa.array(new))]
        tables.append(pa.table(columns, schema=SCHEMA))
    return pa.concat_tables(tables)


def _extracted(texts: pa.StringArray, expression: str) -> pa.StringArray:
    return pc.struct_field(pc.extract_regex(texts, expression), 0)


def _named(names: pa.ChunkedArray, expression: str) -> npt.NDArray[np.int64]:
    """The rows whose name matches."""
    coded = one_chunk(names).dictionary_encode()
    matches = pc.match_substring_regex(coded.dictionary, expression).to_numpy(zero_copy_only=False)
    return np.flatnonzero(np.append(matches, False)[codes_of(coded)])


def of_events(
    names: pa.ChunkedArray, time_ns: pa.ChunkedArray, span_no: npt.NDArray[np.int32], start_ns: npt.NDArray[np.int64]
) -> pa.Table:
    """Time to first token from events with such a name; one entry per event."""
    rows = _named(names, attribute_keys.FIRST_TOKEN_EVENT)
    times = time_ns.take(pa.array(rows)).fill_null(0).to_numpy()
    rows, times = rows[times > 0], times[times > 0]
    if len(rows) == 0:
        return SCHEMA.empty_table()
    order = np.lexsort((times, span_no[rows]))
    rows, times = rows[order], times[order]
    first = np.flatnonzero(np.diff(span_no[rows], prepend=-1))
    rows, times = rows[first], times[first]
    fact = np.full(len(rows), FACT_NAMES.index("ttft_ns"), np.int8)
    return pa.table([span_no[rows], fact, pa.array(times - start_ns[rows]).cast(pa.string())], schema=SCHEMA)


def of_evaluations(names: pa.ChunkedArray, attributes: pa.ChunkedArray, span_no: npt.NDArray[np.int32]) -> pa.Table:
    """Scores and labels of evaluation events."""
    rows = _named(names, EVALUATION_EVENT)
    if len(rows) == 0:
        return SCHEMA.empty_table()
    return of_attributes(attributes.take(pa.array(rows)), span_no[rows])


def _of_choices(names: pa.ChunkedArray, attributes: pa.ChunkedArray, span_no: npt.NDArray[np.int32]) -> pa.Table:
    """Calls of tools that events with a model's answer tell."""
    rows = _named(names, attribute_keys.CHOICE_EVENT)
    if len(rows) == 0:
        return SCHEMA.empty_table()
    found = of_attributes(attributes.take(pa.array(rows)), span_no[rows])
    return found.filter(pc.equal(found["fact"], ASKS_TOOL))
