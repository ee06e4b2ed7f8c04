"""Advice on repeated work: calls with the same input, prompts with the same beginning."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from overbudget.analysis.advice.proposal import LEAST_REQUESTS, Confidence, Proposal, ask, with_services
from overbudget.analysis.common.durations import MINUTE
from overbudget.analysis.requests.table import I32
from overbudget.analysis.whatif.changes import Cache, Scale
from overbudget.analysis.whatif.factors import served
from overbudget.analysis.whatif.whatif import Workbench
from overbudget.kernels.arrow import numbers
from overbudget.stages.attribute_keys import OUTPUT_KEYS, OUTPUT_PREFIX, PROMPT_KEYS
from overbudget.stages.withheld_text import comparable

CACHEABLE_STAGES = (
    "retrieval",
    "database",
    "tools",
    "context",
    "safety",
    "shaping",
)  # other stages return whole answers
TTL_NS = 10 * MINUTE
LEAST_REPEATS = 0.2  # of the calls
MOST_PROMPTS = 300  # of an operation, that are compared for a common beginning


def repeated_calls(bench: Workbench) -> Iterator[Proposal]:
    """Operations that are called with the same input again within TTL_NS; of nested ones the outermost.

    Whole answers (of a model, an agent, a request) count only where they are recorded as identical for identical input.
    """
    nodes = bench.nodes
    node, given = nodes.replay_input.inputs
    cacheable = [place for place, stage in enumerate(bench.table.stages) if stage in CACHEABLE_STAGES]
    kept = nodes.request[node] >= 0
    node, given = node[kept], given[kept]
    proposed: set[int] = set()
    found = []
    for operation in np.unique(nodes.replay_input.operation[node]).tolist():
        here = nodes.replay_input.operation[node] == operation
        calls, asked = node[here], given[here]
        order = np.lexsort((calls, nodes.replay_input.tree.start[calls], asked))
        calls, asked = calls[order], asked[order]
        hits = int(
            served(
                asked,
                nodes.replay_input.tree.start[calls],
                nodes.replay_input.tree.end[calls],
                nodes.replay_input.failed[calls],
                TTL_NS,
            ).sum()
        )
        if len(calls) < LEAST_REQUESTS or hits < LEAST_REPEATS * len(calls):
            continue
        answers = not np.isin(nodes.replay_input.stage[calls], cacheable).all()
        if answers and not _answered_alike(bench, calls, asked):
            continue
        proposed.add(operation)
        found.append((operation, calls, len(np.unique(asked)), hits, answers))
    for operation, calls, distinct, hits, answers in found:
        above = nodes.replay_input.shape.parent[calls]
        if np.isin(nodes.replay_input.operation[above[above >= 0]], list(proposed)).any():
            continue
        name = nodes.replay_input.names[operation]
        evidence = [
            f"{hits:,} of {len(calls):,} calls ({hits / len(calls):.0%}) repeat an input of the last "
            f"{TTL_NS // MINUTE} minutes; there are {distinct:,} different inputs"
        ]
        against = ["cached answers can be up to that old"]
        confidence: Confidence = "strong" if hits > 0.5 * len(calls) and not answers else "plausible"
        if answers:
            evidence.append("the answers recorded for one input are the same, every time")
            against.append(
                "whole answers come from the cache: they must not depend on anything outside the input, such as who asks"
            )
        operations = with_services(bench, [operation])
        yield Proposal("cache", operations, (Cache(name, TTL_NS),), tuple(evidence), tuple(against), confidence)


_SAID = f"""
SELECT t.node, hash(list_filter(s.attributes, lambda e: e."key" IN {OUTPUT_KEYS}
    OR starts_with(e."key", '{OUTPUT_PREFIX}'))) AS said,
    len(list_filter(s.attributes, lambda e: e."key" IN {OUTPUT_KEYS} OR starts_with(e."key", '{OUTPUT_PREFIX}'))) > 0 AS recorded
FROM data.tree t JOIN data.spans s USING (span_no) JOIN chosen USING (node)
"""


def _answered_alike(bench: Workbench, calls: npt.NDArray[np.integer], asked: npt.NDArray[np.integer]) -> bool:
    """Whether each of the `calls` records its answer, and the same answer wherever it was `asked` the same.

    Otherwise whole answers must not be cached (docs/reference/method.md, Advice).
    """
    rows = ask(bench, f"SELECT * FROM ({_SAID}) WHERE recorded ORDER BY node", calls).to_arrow_table()
    if rows.num_rows < len(calls):
        return False
    order = np.argsort(calls)
    pairs = np.stack([asked[order].astype(np.uint64), numbers(rows["said"]).astype(np.uint64)], axis=1)
    return len(np.unique(pairs, axis=0)) == len(np.unique(asked))


_PROMPTS = f"""
SELECT o.service_name, o.name, coalesce(m['gen_ai.system_instructions'], '') || coalesce(
        {", ".join(f"m['{key}']" for key in PROMPT_KEYS)}, '') AS prompt, s.end_ns - s.start_ns AS took
FROM (SELECT s.*, map_from_entries(s.attributes) AS m FROM data.spans s JOIN data.tree t USING (span_no) JOIN chosen USING (node)) s
JOIN operations o USING (operation_id) WHERE length(prompt) > 0
"""
_TOKENS = """
SELECT sum(input_tokens)::BIGINT, sum(cached_tokens)::BIGINT, median(first_token_ns) FROM data.model_calls
WHERE span_no IN (SELECT span_no FROM data.tree JOIN chosen USING (node))
"""


def shared_prompt_beginnings(bench: Workbench) -> Iterator[Proposal]:
    """Prompts that all begin the same and are read in full each time. Needs recorded prompts and times to first token."""
    nodes = bench.nodes
    if "inference" not in bench.table.stages:
        return
    calls = np.flatnonzero((nodes.request >= 0) & (nodes.replay_input.stage == bench.table.stages.index("inference")))
    tokens, cached, first_token = ask(bench, _TOKENS, calls).fetchall()[0]
    if not first_token:
        return
    prompts: dict[tuple[str, str], list[tuple[str, int]]] = {}
    compared = _first_of_each(nodes.replay_input.tree.operation[calls], MOST_PROMPTS)
    for service, name, prompt, took in ask(bench, _PROMPTS, calls[compared]).fetchall():
        prompts.setdefault((service, name), []).append((comparable(prompt), took))
    for operation, those in prompts.items():
        texts = [prompt for prompt, _ in those]
        if len(texts) < LEAST_REQUESTS or len(set(texts)) < 2:
            continue
        share = _common(min(texts), max(texts)) / float(np.mean([len(text) for text in texts]))
        hit = (cached or 0) / tokens if tokens else 0.0
        if share < LEAST_REPEATS or hit >= 0.5 * share:
            continue
        of_operation = calls[nodes.replay_input.operation[calls] == nodes.replay_input.names.index(operation[1])]
        told = _cost_of_reading(bench, of_operation)
        reads = told * max(share - hit, 0.0) if told is not None else (share - hit) * first_token
        saved = min(reads / float(np.median([took for _, took in those])), 0.9)
        evidence = (
            f"{share:.0%} of every prompt is the same beginning ({len(texts)} prompts compared)",
            f"{hit:.0%} of the input tokens came from the provider's cache"
            if cached is not None
            else "no cached tokens are recorded",
        )
        against = (
            "the effect assumes that cached tokens take no time at all"
            if told is not None
            else "the effect assumes that the time to the first token is proportional to the length that is read",
        )
        change = Scale(operation[1], round(1 - saved, 3))
        yield Proposal("prompt_prefix", (operation,), (change,), evidence, against, "weak")


def _cost_of_reading(bench: Workbench, calls: npt.NDArray[np.integer]) -> float | None:
    """How long (ns) these calls take on average to read a whole prompt, by what its tokens cost; None where that is unknown."""
    known = bench.nodes.replay_input.model_calls
    here = np.isin(known.node, calls) & (known.cost[:, 0] > 0)
    if not here.any():
        return None
    return float((known.cost[here, 0] * known.given[here]).mean())


def _first_of_each(kind: I32, most: int) -> npt.NDArray[np.intp]:
    """The indices of the first `most` of each kind."""
    order = np.argsort(kind, kind="stable")
    begins = np.searchsorted(kind[order], kind[order])
    return np.sort(order[np.arange(len(order)) - begins < most])


def _common(first: str, last: str) -> int:
    """The length of the common prefix of two texts; given the first and last of sorted texts, of all of them."""
    return next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
