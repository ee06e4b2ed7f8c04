"""Requests made up as numbers, to measure and judge without any dataset."""

import numpy as np
from hypothesis import strategies as st

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.budget.model import Budget, StageBudget
from overbudget.analysis.causes.causes import find_causes
from overbudget.analysis.requests.path import PathTable
from overbudget.analysis.requests.table import UNKNOWN, RequestTable
from overbudget.analysis.review.evidence import DatasetFacts, Evidence
from overbudget.analysis.review.measure import measure
from overbudget.analysis.review.review import Review, judge
from overbudget.kernels.arrow import Coded
from overbudget.stages.names import PART_NAMES
from tests.dataset_builder import MS, S

STAGES = ("retrieval", "inference", "tools", "unattributed")


def evidence(
    stage_ns: np.ndarray,
    routes: list[str] | None = None,
    scored: np.ndarray | None = None,
    parts_ns: np.ndarray | None = None,
    arrival: np.ndarray | None = None,
) -> Evidence:
    """Requests with the given stage times (ns; columns as STAGES), one operation per stage, without any dataset.

    Request i arrives in second `arrival[i]`, or i.
    """
    n = len(stage_ns)
    route = routes or ["POST /chat"] * n
    names = tuple(dict.fromkeys(route)) or ("POST /chat",)
    nothing = Coded(np.full(n, -1, np.int32), ())
    good = np.full(n, UNKNOWN, np.int8) if scored is None else scored.astype(np.int8)
    table = RequestTable(
        request_no=np.arange(n, dtype=np.int32),
        start_ns=(np.arange(n) if arrival is None else arrival).astype(np.int64) * S,
        duration_ns=stage_ns.sum(1),
        user_ns=np.zeros(n, np.int64),
        latency_ns=stage_ns.sum(1),
        complete=np.ones(n, bool),
        open=np.zeros(n, bool),
        missing=np.zeros(n, bool),
        failed=np.zeros(n, bool),
        weight=np.ones(n),
        route=Coded(np.array([names.index(r) for r in route], np.int32), names),
        service=nothing,
        model=nothing,
        status=nothing,
        version=nothing,
        environment=nothing,
        score=np.full(n, np.nan),
        scored=good != UNKNOWN,
        good=good,
        ttft_ns=np.full(n, -1, np.int64),
        parts_ns=None if parts_ns is None else told_parts(parts_ns),
        stages=STAGES,
        present=(True,) * len(STAGES),
        stage_ns=stage_ns,
    )
    codes = np.tile(np.arange(len(STAGES), dtype=np.int32), n)
    path = PathTable(
        request_no=np.repeat(table.request_no, len(STAGES)),
        span_no=np.arange(len(codes), dtype=np.int32),
        operation=codes,
        hop=np.full(n * len(STAGES), -1, np.int32),
        stage=codes.astype(np.int16),
        duration_ns=stage_ns.ravel(),
        awaited=np.ones(n * len(STAGES), bool),
        service=Coded(np.zeros(len(STAGES), np.int32), ("api",)),
        name=Coded(np.arange(len(STAGES), dtype=np.int32), tuple(f"do {stage}" for stage in STAGES)),
        places=(),
    )
    facts = DatasetFacts(n, n, n, 0, None, None)
    return Evidence(facts, table, find_causes(path, table))


def told_parts(before_and_after_ns: np.ndarray) -> np.ndarray:
    """`RequestTable.parts_ns` from inference before and after first tokens (int64[n, 2]); 0 and 0: none is recorded."""
    ns = np.full((len(before_and_after_ns), len(PART_NAMES)), -1, np.int64)
    ns[:, :2] = np.where(before_and_after_ns.any(axis=1, keepdims=True), before_and_after_ns, -1)
    return ns


def of(stage_ns: np.ndarray, budget: str = "", **more: object) -> Review:
    return judge(measure(evidence(stage_ns, **more)), parse_budget(budget) if budget else None)  # type: ignore[arg-type]


def times(seed: int = 1, n: int = 1000, slow_share: float = 0.1, slow_ms: float = 900) -> np.ndarray:
    """Requests whose tail is retrieval."""
    random = np.random.default_rng(seed)
    retrieval = random.gamma(4, 10 * MS, n) + (random.random(n) < slow_share) * slow_ms * MS
    parts = [retrieval, random.gamma(20, 20 * MS, n), random.gamma(4, 5 * MS, n), np.full(n, 2 * MS)]
    return np.stack(parts, 1).astype(np.int64)


stage_matrices = st.builds(
    lambda seed, n, spread: np.random.default_rng(seed).gamma(spread, 1e8, (n, len(STAGES))).astype(np.int64),
    st.integers(0, 10**6),
    st.integers(1, 400),
    st.sampled_from([0.05, 0.5, 3.0]),
)
caps = st.dictionaries(st.sampled_from([50, 75, 95, 99]), st.integers(MS, 2 * S), max_size=3).map(
    lambda found: dict(zip(sorted(found), sorted(found.values()), strict=True))
)
budgets = st.builds(
    lambda total, stages: Budget(total, {stage: StageBudget(own) for stage, own in stages.items()}),
    caps,
    st.dictionaries(st.sampled_from(STAGES), caps, max_size=4),
)
