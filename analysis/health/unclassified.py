"""Spans without a stage although something known is recorded on them, with the budget's rule that gives them one."""

import json
import re
from collections.abc import Iterable
from typing import NamedTuple

import duckdb
import numpy as np

from overbudget.analysis.health.problem import MOST_SERVICES, Problem
from overbudget.kernels.arrow import table_of
from overbudget.stages import attribute_keys as keys
from overbudget.stages.conventions import KINDS, OPERATIONS
from overbudget.stages.name_words import searches_or_embeds, stage_of_words
from overbudget.stages.names import UNATTRIBUTED
from overbudget.stages.registry import ATTRIBUTES
from overbudget.store.tables import passing

OWN_SHARE = 0.1  # of its duration: a span whose children with a stage take the rest needs no stage itself
AGENTS_OWN_SHARE = 0.5  # of its duration: an agent of which so much is on the path as its own has no calls recorded
LOOKED_AT = 20  # spans of an operation that are searched for something known
MOST_RULES = 20
MOST_KEYS = 3  # that are named

_BY_VALUE = tuple(dict.fromkeys(convention.key for convention in (*OPERATIONS, *KINDS)))
_MODEL = (
    *keys.MODEL_KEYS, *keys.INPUT_TOKEN_KEYS, *keys.OUTPUT_TOKEN_KEYS, *keys.CACHED_TOKEN_KEYS, *keys.REASONING_TOKEN_KEYS,
    *(key for key in keys.USAGE_KEYS if not key.startswith("haystack.")), *keys.TTFT_SECONDS_KEYS,
    *keys.TTFT_MILLISECONDS_KEYS, *keys.TTFT_TIMESTAMP_KEYS, *keys.COST_KEYS, "gen_ai.provider.name", "gen_ai.system",
    "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.prompt.0.content", "gen_ai.completion.0.content",
    "llm.input_messages.0.message.role", "llm.output_messages.0.message.role", "llm.prompts", "llm.invocation_parameters",
)  # fmt: skip
_TOOL = (
    "tool.name",
    "tool_call.id",
    "tool.call.id",
    "tool.parameters",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.type",
)
_SEARCH = (
    "gen_ai.retrieval.query.text", "retrieval.documents.0.document.content", "retrieval.documents.0.document.id",
    "reranker.query", "reranker.top_k", "embedding.text", "gen_ai.embeddings.dimension.count",
)  # fmt: skip
# What the other registered attributes speak for. Those of agents, conversations and workflows stand on spans of every kind.
_REGISTERED = (
    ("gen_ai.memory.", "retrieval"), ("gen_ai.retrieval.", "retrieval"), ("gen_ai.embeddings.", "retrieval"),
    ("gen_ai.evaluation.", "safety"), ("gen_ai.tool.call.", "tools"), ("gen_ai.request.", "inference"),
    ("gen_ai.response.", "inference"), ("gen_ai.usage.", "inference"), ("gen_ai.output.", "inference"),
    ("mcp.", "tools"),
)  # fmt: skip
# What each key speaks for, the best evidence first; None where its value is to be read.
_KNOWN: dict[str, str | None] = {
    **dict.fromkeys(_BY_VALUE),
    **dict.fromkeys(_TOOL, "tools"),
    **dict.fromkeys(_SEARCH, "retrieval"),
    **dict.fromkeys(_MODEL, "inference"),
    **{
        key: stage
        for prefix, stage in _REGISTERED
        for key in ATTRIBUTES
        if key.startswith(prefix) and key not in _BY_VALUE
    },
}

# Spans that no rule of their own gives a stage, and whose time none of their children explains: a wrapper around a call that has
# a stage needs none. A recorded model or tokens count only where nothing classified is below (`depends`).
_BARE = f"""
WITH own AS (
    SELECT span_no, sum(end_ns - start_ns) AS ns FROM data.segments GROUP BY span_no
), staged AS (
    SELECT DISTINCT c.parent AS node FROM data.tree c JOIN operations o USING (operation_id)
    WHERE c.parent >= 0 AND o.stage IS NOT NULL AND o.stage <> 'orchestration'
), bare AS (
    SELECT t.span_no, t.operation_id FROM data.tree t JOIN operations o USING (operation_id)
    JOIN data.stages g USING (stage_id) LEFT JOIN own USING (span_no)
    WHERE t.request_no >= 0 AND g.stage IN ('{UNATTRIBUTED}', 'orchestration')
        AND (o.stage IS NULL OR o.stage = 'inference')
        AND (t.node NOT IN (SELECT node FROM staged) OR own.ns >= {OWN_SHARE} * (t.end_ns - t.start_ns))
)
"""
_EXAMPLES = f"""{_BARE}, looked AS (
    SELECT * FROM bare QUALIFY row_number() OVER (PARTITION BY operation_id ORDER BY span_no) <= {LOOKED_AT}
), said AS (
    SELECT operation_id, unnest(attributes, recursive := true) FROM looked JOIN data.spans USING (span_no, operation_id)
)
SELECT operation_id, arg_min("key", rank) AS "key", arg_min("value", rank) AS "value" FROM said JOIN known USING ("key")
WHERE "value" IS NOT NULL AND "value" NOT IN ('', '0') GROUP BY operation_id ORDER BY operation_id
"""
_COUNTS = f"""{_BARE}
SELECT o.service_name, o.name, e."key", e."value", count(*) AS spans, min(s.trace_id) AS trace_id, arg_min(s.span_id, s.trace_id) AS span_id
FROM bare JOIN examples e USING (operation_id) JOIN data.spans s USING (span_no) JOIN operations o ON o.operation_id = e.operation_id
WHERE len(list_filter(s.attributes, lambda entry: entry."key" = e."key")) > 0 GROUP BY ALL ORDER BY spans DESC, service_name, name, "key"
"""


# Agents that name a model and explain most of their time by nothing below them: their calls are not recorded.
_AGENTS = f"""
WITH own AS (
    SELECT span_no, sum(end_ns - start_ns) AS ns FROM data.segments GROUP BY span_no
), agents AS (
    SELECT operation_id FROM operations
    WHERE stage = 'orchestration' AND len(list_intersect(map_keys(keys), ['{keys.MODEL_RECORDED}', '{keys.TOKENS_RECORDED}'])) > 0
)
SELECT o.service_name, o.name, count(*) AS spans, min(s.trace_id), arg_min(s.span_id, s.trace_id)
FROM data.tree t JOIN agents USING (operation_id) JOIN own USING (span_no) JOIN operations o USING (operation_id)
JOIN data.spans s USING (span_no)
WHERE own.ns >= {AGENTS_OWN_SHARE} * (t.end_ns - t.start_ns) AND t.request_no >= 0 AND own.ns > 0
    AND NOT EXISTS (FROM data.tree c JOIN data.stages g USING (stage_id) WHERE c.parent = t.node AND g.stage <> 'orchestration')
GROUP BY ALL ORDER BY spans DESC, o.service_name, o.name
"""


class _Bare(NamedTuple):
    """Spans of one name in one service, and something known that is recorded on them."""

    service: str
    name: str
    key: str
    value: str
    spans: int
    trace_id: str
    span_id: str


def unclassified(connection: duckdb.DuckDBPyConnection) -> Problem:
    """The spans without a stage on which a model, tokens, a tool or an unknown kind of operation is recorded."""
    known = table_of(key=list(_KNOWN), rank=np.arange(len(_KNOWN), dtype=np.int32))
    with passing(connection, known=known):
        examples = connection.sql(_EXAMPLES).to_arrow_table()
    found: list[_Bare] = []
    if examples.num_rows:
        with passing(connection, examples=examples):
            found = [_Bare(*row) for row in connection.sql(_COUNTS).fetchall()]
    return Problem(
        "unclassified_spans",
        sum(one.spans for one in found),
        f"trace {found[0].trace_id}, span {found[0].span_id}" if found else "",
        tuple(dict.fromkeys(one.service for one in found))[:MOST_SERVICES],
        f"{_told(found)} and no stage: no rule knows what they are, so their time is in no stage.",
        "Check what they do, and give them a stage by this rule in a budget file.",
        rule=_rule(found) if found else None,
    )


def agents_without_calls(connection: duckdb.DuckDBPyConnection) -> Problem:
    """Agents that record a model or tokens, and in which no model call and no tool is recorded."""
    found = connection.sql(_AGENTS).fetchall()
    rules = [f"  {{ service = {_toml(service)}, name = {_toml(name)} }}," for service, name, *_ in found[:MOST_RULES]]
    return Problem(
        "agent_without_calls",
        sum(row[2] for row in found),
        f"trace {found[0][3]}, span {found[0][4]}" if found else "",
        tuple(dict.fromkeys(row[0] for row in found))[:MOST_SERVICES],
        "Agents record a model or tokens, but no model call and no tool inside them is recorded: how much of their time is the "
        "model's is not known, so all of it is orchestration.",
        "Instrument the client of the model too, in the same process. Until then, where nearly all of that time is the model's, "
        "this rule in a budget file makes it inference.",
        rule="\n".join(["[stages.inference]", "match = [", *rules, "]"]) if rules else None,
    )


def _told(found: Iterable[_Bare]) -> str:
    """`412 spans carry `gen_ai.request.model`, 3 carry `tool.name``; an operation's or a kind's value is told too."""
    counts: dict[str, int] = {}
    for one in found:
        what = f"`{one.key} = {one.value[:60]}`" if one.key in _BY_VALUE else f"`{one.key}`"
        counts[what] = counts.get(what, 0) + one.spans
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    told = [f"{n:,} {'span carries' if n == 1 else 'spans carry'} {what}" for what, n in ranked[:MOST_KEYS]]
    if rest := sum(n for _, n in ranked[MOST_KEYS:]):
        told.append(f"{rest:,} others carry something else that is known")
    return ", ".join(told)


def _rule(found: Iterable[_Bare]) -> str:
    """The TOML that gives each of the spans a stage."""
    by_stage: dict[str, list[str]] = {}
    for one in list(found)[:MOST_RULES]:
        match = f"{{ service = {_toml(one.service)}, name = {_toml(one.name)}, attribute = {_toml(one.key)}"
        match += f", equals = {_toml(one.value)} }}" if one.key in _BY_VALUE else " }"
        by_stage.setdefault(_stage(one), []).append(match)
    return "\n".join(
        "\n".join([f"[stages.{stage}]", "match = [", *(f"  {match}," for match in matches), "]"])
        for stage, matches in by_stage.items()
    )


def _stage(one: _Bare) -> str:
    """The stage that the key speaks for; where it is an unknown operation, that of its words, or one of its own."""
    speaks = _KNOWN[one.key]
    if speaks == "inference" and searches_or_embeds(one.name):
        return "retrieval"
    if speaks is not None:
        return speaks
    value = one.value.strip('"')
    return (
        stage_of_words(value)
        or stage_of_words(one.name)
        or re.sub(r"[^A-Za-z0-9_-]+", "_", value).strip("_")
        or "other"
    )


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
