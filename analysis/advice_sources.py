"""Where advice comes from: each source looks for one kind of waste and proposes what to change (METHOD.md, Advice)."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from analysis.changes import INPUTS, Cache, Cap, DropRetries, Parallel, Scale, Wish, served
from analysis.columns import numbers
from analysis.durations import MINUTE, format_duration
from analysis.percentiles import quantiles
from analysis.requests import GOOD, I64, UNKNOWN
from analysis.semconv import INPUT_KEYS, OUTPUT_KEYS, OUTPUT_PREFIX, PROMPT_KEYS
from analysis.stage_names import UNATTRIBUTED
from analysis.whatif import Workbench

Kind = Literal["parallelise", "cache", "prompt_prefix", "retries", "blocking", "queue", "instrument", "model"]
Confidence = Literal["strong", "plausible", "weak"]
Source = Callable[[Workbench], Iterator["Proposal"]]

INDEPENDENT_STAGES = ("tools", "retrieval", "database", "safety")  # whose calls may need nothing of each other
CACHEABLE_STAGES = ("retrieval", "database", "tools", "context", "safety", "shaping")  # else whole answers
TTL_NS = 10 * MINUTE
LEAST_REPEATS = 0.2  # of the calls
LEAST_REQUESTS = 20
AT_ONCE_NS = 1_000_000  # a pause shorter than this is no work between two calls
LARGE_UNATTRIBUTED = 0.25
ERRATIC = 2.0  # times the spread of the steadiest model
WAITS = re.compile(r"\b(wait|sleep|poll|backoff|lock|acquire)\w*")
_SPLIT = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")
LONG_WAIT_NS = 20_000_000
SAME_LENGTH = 0.02  # of the median, from p5 to p95
MOST_PROMPTS = 300  # that are compared for a common beginning


@dataclass(frozen=True)
class Proposal:
    """A change, and what speaks for and against it. `operations` are (service, name)."""

    kind: Kind
    operations: tuple[tuple[str, str], ...]
    wishes: tuple[Wish, ...]
    evidence: tuple[str, ...]
    against: tuple[str, ...]
    confidence: Confidence


# `chosen` are the spans of the requests at hand, with their stages by the budget's rules (see `_choose`).
# Calls of one stage that follow one another under a parent of another one, with nothing of another stage between them.
_BESIDE = f"""
WITH children AS (
    SELECT t.parent, t.start_ns, t.end_ns, o.service_name, o.name, o.weak, s.stage, ps.stage AS parent_stage,
        p.operation_id AS parent_operation, row_number() OVER (PARTITION BY t.parent ORDER BY t.start_ns, t.end_ns)
            - row_number() OVER (PARTITION BY t.parent, s.stage ORDER BY t.start_ns, t.end_ns) AS run
    FROM data.tree t JOIN operations o USING (operation_id) JOIN chosen s USING (node)
    JOIN data.tree p ON p.node = t.parent JOIN chosen ps ON ps.node = t.parent
), calls AS (
    SELECT *, lead(start_ns) OVER (PARTITION BY parent, stage, run ORDER BY start_ns, end_ns) - end_ns AS pause
    FROM children WHERE stage IN {INDEPENDENT_STAGES} AND parent_stage <> stage AND NOT weak
), runs AS (
    SELECT parent_operation, stage, count(*) AS calls, min(pause) AS least_pause, median(pause) AS pause,
        string_agg(name, chr(31) ORDER BY start_ns, end_ns) AS in_order, list_sort(list(DISTINCT (service_name, name))) AS names
    FROM calls GROUP BY parent, parent_operation, stage, run HAVING count(*) > 1
)
SELECT stage, names, count(*) AS parents, count(*) FILTER (least_pause < 0) AS overlapping, median(pause) AS pause,
    count(DISTINCT in_order) AS orders, max(calls) AS calls
FROM runs GROUP BY stage, parent_operation, names ORDER BY parents DESC
"""


# Of calls beside each other: how many record an input and one before them an output, and how often it is part of it.
_NEEDS = f"""
WITH calls AS (
    SELECT t.parent, t.start_ns, t.end_ns, list_filter(s.attributes, lambda e: e."key" IN {INPUT_KEYS}) AS asked,
        list_filter(s.attributes, lambda e: e."key" IN {OUTPUT_KEYS}) AS said
    FROM data.tree t JOIN chosen USING (node) JOIN data.spans s USING (span_no)
    JOIN operations o ON o.operation_id = t.operation_id WHERE o.name IN (SELECT unnest($1))
)
SELECT count(*), count(*) FILTER (contains(b.asked[1]."value", a.said[1]."value"))
FROM calls a JOIN calls b ON b.parent = a.parent AND a.end_ns <= b.start_ns
WHERE len(a.said) > 0 AND len(b.asked) > 0 AND length(a.said[1]."value") > 3
"""


def _choose(bench: Workbench) -> duckdb.DuckDBPyConnection:
    """The connection, with a temporary relation `chosen`: node and stage of the spans of the requests at hand."""
    nodes = bench.nodes
    node = np.flatnonzero(nodes.request >= 0)
    stages = pa.DictionaryArray.from_arrays(
        pa.array(nodes.stage[node], pa.int16()), pa.array(bench.table.stages, pa.string())
    )
    nodes.connection.register(
        "chosen", pa.table({"node": pa.array(node, pa.int32()), "stage": stages.cast(pa.string())})
    )
    return nodes.connection


def independent_calls(bench: Workbench) -> Iterator[Proposal]:
    """Calls of one stage beside each other that never overlap."""
    connection = _choose(bench)
    for stage, names, parents, overlapping, pause, orders, calls in connection.execute(_BESIDE).fetchall():
        if parents < LEAST_REQUESTS or overlapping > 0.05 * parents:
            continue
        operations = tuple((service, name) for service, name in names)
        called = sorted({name for _, name in operations})
        told, needed = connection.execute(_NEEDS, [called]).fetchall()[0]
        if needed > 0.5 * told:
            continue  # one asks for what another said
        evidence = [
            f"in {parents:,} cases {calls} calls of the stage {stage} run one after the other and never overlap"
        ]
        against = []
        if orders > 1:
            evidence.append(f"their order varies: {orders} different ones were seen")
        else:
            against.append("their order is always the same")
        if pause < AT_ONCE_NS:
            against.append("each starts at once when the one before has ended")
        if told:
            evidence.append(f"what one returns is in the input of the next in {needed:,} of {told:,} cases")
        else:
            against.append("no inputs and outputs are recorded that would show that none needs another")
        confidence: Confidence = "strong" if orders > 1 and told else "plausible" if orders > 1 or told else "weak"
        yield Proposal(
            "parallelise", operations, (Parallel(tuple(called)),), tuple(evidence), tuple(against), confidence
        )


def repeated_calls(bench: Workbench) -> Iterator[Proposal]:
    """Operations that are asked the same again within TTL_NS; of nested ones the outermost.

    Whole answers (of a model, an agent, a request) only where they are recorded as the same for the same input.
    """
    nodes = bench.nodes
    rows = nodes.connection.sql(f"SELECT node, input FROM ({INPUTS}) WHERE recorded = 1").to_arrow_table()
    node, given = numbers(rows["node"]), numbers(rows["input"])
    cacheable = [place for place, stage in enumerate(bench.table.stages) if stage in CACHEABLE_STAGES]
    kept = nodes.request[node] >= 0
    node, given = node[kept], given[kept]
    proposed: set[int] = set()
    found = []
    for operation in np.unique(nodes.operation[node]).tolist():
        here = nodes.operation[node] == operation
        calls, asked = node[here], given[here]
        order = np.lexsort((calls, nodes.tree.start[calls], asked))
        calls, asked = calls[order], asked[order]
        hits = int(served(asked, nodes.tree.start[calls], nodes.tree.end[calls], nodes.failed[calls], TTL_NS).sum())
        if len(calls) < LEAST_REQUESTS or hits < LEAST_REPEATS * len(calls):
            continue
        answers = not np.isin(nodes.stage[calls], cacheable).all()
        if answers and not _answered_alike(bench, calls, asked):
            continue
        proposed.add(operation)
        found.append((operation, calls, len(np.unique(asked)), hits, answers))
    for operation, calls, distinct, hits, answers in found:
        above = nodes.shape.parent[calls]
        if np.isin(nodes.operation[above[above >= 0]], list(proposed)).any():
            continue
        name = nodes.names[operation]
        evidence = [
            f"{hits:,} of {len(calls):,} calls ({hits / len(calls):.0%}) repeat an input of the last "
            f"{TTL_NS // MINUTE} minutes; there are {distinct:,} different inputs"
        ]
        against = ["a cache answers with what was true up to that long ago"]
        confidence: Confidence = "strong" if hits > 0.5 * len(calls) and not answers else "plausible"
        if answers:
            evidence.append("the answers recorded for one input are the same, every time")
            against.append(
                "whole answers come from the cache: what is not in the input, such as who asks, must not matter"
            )
        operations = tuple((service, name) for service in _services(bench, operation))
        yield Proposal("cache", operations, (Cache(name, TTL_NS),), tuple(evidence), tuple(against), confidence)


_SAID = f"""
SELECT t.node, hash(list_filter(s.attributes, lambda e: e."key" IN {OUTPUT_KEYS}
    OR starts_with(e."key", '{OUTPUT_PREFIX}'))) AS said,
    len(list_filter(s.attributes, lambda e: e."key" IN {OUTPUT_KEYS} OR starts_with(e."key", '{OUTPUT_PREFIX}'))) > 0 AS recorded
FROM data.tree t JOIN data.spans s USING (span_no) JOIN calls USING (node)
"""


def _answered_alike(bench: Workbench, calls: npt.NDArray[np.integer], asked: npt.NDArray[np.integer]) -> bool:
    """Whether each of the `calls` records what it answered, and always the same where it was `asked` the same.

    Without that, whole answers are not to be cached (METHOD.md, Advice).
    """
    connection = bench.nodes.connection
    connection.register("calls", pa.table({"node": pa.array(calls, pa.int32())}))
    rows = connection.sql(f"SELECT * FROM ({_SAID}) WHERE recorded ORDER BY node").to_arrow_table()
    connection.unregister("calls")
    if rows.num_rows < len(calls):
        return False
    order = np.argsort(calls)
    pairs = np.stack([asked[order].astype(np.uint64), numbers(rows["said"]).astype(np.uint64)], axis=1)
    return len(np.unique(pairs, axis=0)) == len(np.unique(asked))


def _services(bench: Workbench, operation: int) -> list[str]:
    """The services that have an operation of this name."""
    rows = bench.nodes.connection.execute(
        "SELECT DISTINCT service_name FROM operations WHERE name = $1 ORDER BY ALL", [bench.nodes.names[operation]]
    ).fetchall()
    return [service for (service,) in rows]


def retried_calls(bench: Workbench) -> Iterator[Proposal]:
    """Failed calls that were made again."""
    failed = np.zeros(len(bench.nodes.request), bool)
    failed[bench.nodes.retry_of[bench.nodes.retry_of >= 0]] = True
    failed &= bench.nodes.request >= 0
    if not failed.any():
        return
    count, requests = int(failed.sum()), len(np.unique(bench.nodes.request[failed]))
    operations = tuple(
        (service, bench.nodes.names[operation])
        for operation in np.unique(bench.nodes.operation[failed]).tolist()
        for service in _services(bench, operation)
    )
    evidence = (f"{count:,} calls in {requests:,} requests failed and were made again under the same parent",)
    against = ("without a second try the requests would have failed: it is the failures that must go",)
    yield Proposal("retries", operations, (DropRetries(),), evidence, against, "strong")


def waiting_in_queues(bench: Workbench) -> Iterator[Proposal]:
    """Time in the stage queue."""
    table = bench.table
    if "queue" not in table.stages or not len(table):
        return
    waited = table.stage_ns[:, table.stages.index("queue")]
    if not waited.any():
        return
    p50, p95 = (one.value_ns or 0 for one in quantiles(waited, (50, 95))[0])
    evidence = (
        f"requests wait {format_duration(p50)} at the median and {format_duration(p95)} at p95 for a free slot",
    )
    against = ("more capacity, or fewer requests at a time, costs money or turns requests away",)
    waiting = (bench.nodes.stage == table.stages.index("queue")) | (bench.nodes.queued > 0)
    names = bench.nodes.operation[waiting & (bench.nodes.request >= 0)]
    operations = tuple(
        (service, bench.nodes.names[operation])
        for operation in np.unique(names).tolist()
        for service in _services(bench, operation)
    )
    yield Proposal("queue", operations, (Scale("queue", 0.0),), evidence, against, "strong")


def _all_the_same(times: I64) -> bool:
    """Whether nearly all times are the same, as those of waits are and those of work never."""
    low, middle, high = (one.value_ns or 0 for one in quantiles(times, (5, 50, 95))[0])
    return high - low <= SAME_LENGTH * middle


def waits_for_nothing(bench: Workbench) -> Iterator[Proposal]:
    """Operations that have nothing below them and whose name, or whose length that is always the same, says they wait."""
    nodes = bench.nodes
    if _all_the_same(bench.table.latency_ns):
        return
    inside = nodes.request >= 0
    queue = bench.table.stages.index("queue") if "queue" in bench.table.stages else -1
    work = inside & ((nodes.shape.first[1:] > nodes.shape.first[:-1]) | (nodes.stage == queue))
    worked = np.bincount(nodes.operation[work], minlength=len(nodes.names))
    calls = np.bincount(nodes.operation[inside], minlength=len(nodes.names))
    took = nodes.tree.end - nodes.tree.start
    for operation in np.flatnonzero((calls >= LEAST_REQUESTS) & (worked == 0)).tolist():
        name, own = nodes.names[operation], took[inside & (nodes.operation == operation)]
        middle = int(np.median(own))
        waits = WAITS.search(_SPLIT.sub(" ", name).lower())
        fixed = middle >= LONG_WAIT_NS and _all_the_same(own)
        if not waits and not fixed:
            continue
        evidence = [f"its name says that `{name}` waits, {format_duration(middle)} at the median"] if waits else []
        if fixed:
            evidence.append(f"it takes {format_duration(middle)} each time, from p5 to p95: a fixed wait, not work")
        against = ("something must tell when to go on: a notification instead of a poll, or a shorter wait",)
        confidence: Confidence = "plausible" if waits and fixed else "weak"
        operations = tuple((service, name) for service in _services(bench, operation))
        yield Proposal("blocking", operations, (Scale(name, 0.0),), tuple(evidence), against, confidence)


def unexplained_time(bench: Workbench) -> Iterator[Proposal]:
    """A large part of the time in no classified span."""
    table = bench.table
    if UNATTRIBUTED not in table.stages or not len(table):
        return
    share = table.stage_ns[:, table.stages.index(UNATTRIBUTED)].sum() / max(int(table.latency_ns.sum()), 1)
    if share < LARGE_UNATTRIBUTED:
        return
    evidence = (
        f"{share:.0%} of the time passes in no span of a known stage; the effect is the most that could be found there",
    )
    against = ("instrumenting it makes nothing faster by itself",)
    yield Proposal("instrument", (), (Scale(UNATTRIBUTED, 0.0),), evidence, against, "weak")


def erratic_models(bench: Workbench) -> Iterator[Proposal]:
    """A model whose calls spread far more than those of another one."""
    nodes, table = bench.nodes, bench.table
    if "inference" not in table.stages or not len(table):
        return
    stage = table.stages.index("inference")
    calls = (nodes.stage == stage) & (nodes.request >= 0)
    outermost = calls & ~np.where(nodes.shape.parent >= 0, calls[np.maximum(nodes.shape.parent, 0)], False)
    model = np.where(nodes.request >= 0, table.model.codes[np.maximum(nodes.request, 0)], -1)
    took = nodes.tree.end - nodes.tree.start
    spreads = {}
    for code, name in enumerate(table.model.names):
        here = outermost & (model == code)
        if here.sum() >= LEAST_REQUESTS:
            p50, p95 = (one.value_ns or 1 for one in quantiles(took[here], (50, 95))[0])
            spreads[code] = (p95 / p50, p50, p95, name)
    if len(spreads) < 2:
        return
    steady = min(spreads.values())
    for code, (spread, p50, p95, name) in spreads.items():
        own = np.unique(nodes.operation[outermost & (model == code)])
        others = np.unique(nodes.operation[outermost & (model != code)])
        only = np.setdiff1d(own, others).tolist()
        if spread < ERRATIC * steady[0] or not only:
            continue
        evidence = [
            f"{name} takes {format_duration(p95)} at p95, {spread:.1f} times its median of {format_duration(p50)}",
            f"{steady[3]} takes {format_duration(steady[2])} at p95, {steady[0]:.1f} times its median; "
            "the effect is that of calls which never take longer than that",
        ]
        against = _answers(bench, code, table.model.names.index(steady[3]))
        operations = tuple((service, nodes.names[one]) for one in only for service in _services(bench, one))
        wishes = tuple(Cap(nodes.names[one], steady[2]) for one in only)
        yield Proposal("model", operations, wishes, tuple(evidence), tuple(against), "plausible")


def _answers(bench: Workbench, erratic: int, steady: int) -> list[str]:
    """What is known of how good the answers of two models are."""
    good, model = bench.table.good, bench.table.model.codes
    shares = []
    for code in (erratic, steady):
        judged = (model == code) & (good != UNKNOWN)
        if not judged.any():
            return ["nothing is recorded of how good the answers of either model are"]
        shares.append(f"{(good[judged] == GOOD).mean():.0%} for {bench.table.model.names[code]}")
    return [f"share of good answers: {' and '.join(shares)}"]


_PROMPTS = f"""
SELECT o.service_name, o.name, coalesce(m['gen_ai.system_instructions'], '') || coalesce(
        {", ".join(f"m['{key}']" for key in PROMPT_KEYS)}, '') AS prompt, s.end_ns - s.start_ns AS took
FROM (SELECT *, map_from_entries(attributes) AS m FROM data.spans) s JOIN operations o USING (operation_id)
JOIN data.tree t USING (span_no) JOIN chosen c ON c.node = t.node
WHERE c.stage = 'inference' AND length(prompt) > 0
QUALIFY row_number() OVER (PARTITION BY o.service_name, o.name ORDER BY s.span_no) <= {MOST_PROMPTS}
"""


def shared_prompt_beginnings(bench: Workbench) -> Iterator[Proposal]:
    """Prompts that all begin the same, and are read anew each time. Needs recorded prompts and times to first token."""
    connection = _choose(bench)
    tokens, cached, ttft = connection.execute(
        """SELECT sum(input_tokens)::BIGINT, sum(cached_tokens)::BIGINT, median(ttft_ns) FROM requests
           WHERE request_no IN (SELECT request_no FROM data.tree JOIN chosen USING (node))"""
    ).fetchall()[0]
    if not ttft:
        return
    prompts: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for service, name, prompt, took in connection.execute(_PROMPTS).fetchall():
        prompts.setdefault((service, name), []).append((prompt, took))
    for operation, those in prompts.items():
        texts = [prompt for prompt, _ in those]
        if len(texts) < LEAST_REQUESTS or len(set(texts)) < 2:
            continue
        share = _common(min(texts), max(texts)) / float(np.mean([len(text) for text in texts]))
        hit = (cached or 0) / tokens if tokens else 0.0
        if share < LEAST_REPEATS or hit >= 0.5 * share:
            continue
        saved = min((share - hit) * ttft / float(np.median([took for _, took in those])), 0.9)
        evidence = (
            f"{share:.0%} of every prompt is the same beginning ({len(texts)} prompts compared)",
            f"{hit:.0%} of the input tokens came from the provider's cache"
            if cached is not None
            else "no cached tokens are recorded",
        )
        against = ("the effect supposes that the time to the first token goes with the length that is read",)
        wish = Scale(operation[1], round(1 - saved, 3))
        yield Proposal("prompt_prefix", (operation,), (wish,), evidence, against, "weak")


def _common(first: str, last: str) -> int:
    """How many characters two texts have in common at their beginning; of sorted texts, all of them."""
    return next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))


SOURCES: tuple[Source, ...] = (
    independent_calls,
    repeated_calls,
    shared_prompt_beginnings,
    retried_calls,
    waiting_in_queues,
    waits_for_nothing,
    unexplained_time,
    erratic_models,
)
