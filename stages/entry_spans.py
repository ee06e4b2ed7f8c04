"""What an entry span records about its request, as SQL over a span `s` of data.spans, its operation `o` and its resource `r`."""

from collections.abc import Sequence

from overbudget.stages.attribute_keys import (
    ENVIRONMENT_KEYS,
    HTTP_STATUS_KEYS,
    ONE_IN_KEYS,
    PERCENT_KEYS,
    PROBABILITY_KEYS,
    SAMPLER_KIND_KEY,
    VERSION_KEYS,
)
from overbudget.stages.names import MISSING_SCOPE


def recorded(relation: str, keys: Sequence[str]) -> str:
    """SQL for the value of the first of `keys` among the attributes of `relation`, NULL where none is set or all are empty."""
    found = (f'list_filter({relation}.attributes, lambda e: e."key" = \'{key}\')[1]."value"' for key in keys)
    return f"nullif(coalesce({', '.join(found)}), '')"


# A server that answers 500 has failed, even if its instrumentation leaves the span's status unset.
FAILED = f"(s.status_code = 'ERROR' OR coalesce(try_cast({recorded('s', HTTP_STATUS_KEYS)} AS INTEGER) >= 500, false))"
VERSION = recorded("r", VERSION_KEYS)
ENVIRONMENT = recorded("r", ENVIRONMENT_KEYS)
ENTRY = f"CASE WHEN o.scope_name = '{MISSING_SCOPE}' THEN 'missing' WHEN s.end_ns IS NULL THEN 'open' ELSE 'whole' END"
# The requests whose entry is a model or tool call that no server was asked for: pieces of a run, where they have company.
STEPS = f"""inner_entries AS MATERIALIZED (  -- few or none: only of these are spans read
    SELECT t.request_no, t.span_no
    FROM data.tree t JOIN operations o USING (operation_id) LEFT JOIN data.tree p ON p.node = t.parent
    WHERE o.stage IN ('inference', 'tools') AND o.kind NOT IN ('SERVER', 'CONSUMER') AND o.scope_name <> '{MISSING_SCOPE}'
        AND p.request_no IS DISTINCT FROM t.request_no
), steps AS MATERIALIZED (
    SELECT r.request_no, r.trace_id, r.span_id, r.service_name, r.request_id, r.conversation_id, r.start_ns,
        r.start_ns + r.duration_ns AS end_ns, e.span_no
    FROM inner_entries e JOIN requests r USING (request_no) JOIN data.spans s ON s.span_no = e.span_no
    WHERE s.span_id = r.span_id
)"""
FOLLOWS_NS = 1_000_000_000  # a fragment of a run begins within this time after the one before ends

# The rejection threshold of consistent probability sampling: hexadecimal digits of 56 bits, zeros at the end left out
# (W3C trace state, `ot=th:…`). Nobody sets a probability of 2^-20 or less on purpose.
_THRESHOLD = "regexp_extract(s.trace_state, '(?:^|,)\\s*ot=(?:[^,]*;)?th:([0-9a-f]{1,14})\\s*(?:[;,]|$)', 1)"
_BY_STATE = f"1 - ('0x' || rpad({_THRESHOLD}, 14, '0'))::UBIGINT / 72057594037927936.0"
_PROBABILITY = f"""CASE WHEN {recorded("s", (SAMPLER_KIND_KEY,))} IS NULL OR {recorded("s", (SAMPLER_KIND_KEY,))} = 'probabilistic'
    THEN try_cast({recorded("s", PROBABILITY_KEYS)} AS DOUBLE) END"""
# Before thresholds, the exponent of the probability: `ot=p:3` is 2^-3.
_EXPONENT = (
    "try_cast(regexp_extract(s.trace_state, '(?:^|,)\\s*ot=(?:[^,]*;)?p:([0-9]{1,2})\\s*(?:[;,]|$)', 1) AS INTEGER)"
)
_PERCENT = f"try_cast({recorded('s', PERCENT_KEYS)} AS DOUBLE)"
_ONE_IN = f"try_cast({recorded('s', ONE_IN_KEYS)} AS DOUBLE)"
# How many requests this one stands for; 1 where no plausible value is recorded.
WEIGHT = f"""CASE WHEN {_THRESHOLD} <> '' AND {_BY_STATE} > 1e-6 THEN 1 / ({_BY_STATE})
    WHEN {_EXPONENT} BETWEEN 0 AND 20 THEN 2.0 ** {_EXPONENT}
    WHEN {_ONE_IN} BETWEEN 1 AND 1e6 THEN {_ONE_IN}
    WHEN {_PROBABILITY} BETWEEN 1e-6 AND 1 THEN 1 / {_PROBABILITY}
    WHEN {_PERCENT} BETWEEN 1e-4 AND 100 THEN 100 / {_PERCENT} ELSE 1.0 END"""
