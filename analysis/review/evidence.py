"""All that a review reads of a dataset: `read_evidence`. It depends on the dataset and the budget's rules alone."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import duckdb
import numpy as np
import numpy.typing as npt

from overbudget.analysis.budget.model import Budget
from overbudget.analysis.causes.cause_costs import cost_of_causes
from overbudget.analysis.causes.causes import Causes, find_causes
from overbudget.analysis.causes.spending import Cause, Spending, read_spending
from overbudget.analysis.causes.why import TokenCost
from overbudget.analysis.consistency.conversations import Conversations, conversations
from overbudget.analysis.health.problem import Warned
from overbudget.analysis.health.runs import warned_of_runs
from overbudget.analysis.requests.first_token import Cohort, Piece, read_pieces
from overbudget.analysis.requests.model_calls import ModelCalls, read_model_calls
from overbudget.analysis.requests.read import read_requests
from overbudget.analysis.requests.restored import restore
from overbudget.analysis.requests.sampling import sampling_of
from overbudget.analysis.requests.stored import load_path
from overbudget.analysis.requests.table import RequestTable, iso
from overbudget.analysis.review.burn_down import Visits, visits_of


@dataclass(frozen=True)
class DatasetFacts:
    """The size of a dataset and its time range; `start` and `end` are None without spans."""

    spans: int
    traces: int
    requests: int
    incomplete: int
    start: str | None
    end: str | None
    sampled: str | None = None  # says that only some traces were kept, and how that is known
    warnings: tuple[Warned, ...] = ()  # requests that are less than one run, or several


@dataclass(frozen=True)
class Evidence:
    """Everything a review reads from a dataset: all requests, and what their critical paths are made of.

    `restored` says for each request whether it lost spans and can still be broken down. `spending` reads the calls that
    requests made, when a culprit needs it, and `costs` what tokens cost each cause; `calls` reads the model calls, and
    `before_first_token` what passes before first tokens, where a cap asks for them; `conversations` reads how long
    conversations take to a good answer; `visits` has the stages in the order in which they take the paths. None without a
    dataset.
    """

    facts: DatasetFacts
    requests: RequestTable
    causes: Causes
    spending: Callable[[], Spending] | None = None
    restored: npt.NDArray[np.bool_] | None = None
    costs: Callable[[], Callable[[Cause], TokenCost | None]] | None = None
    calls: Callable[[], ModelCalls] | None = None
    before_first_token: Callable[[Cohort], list[Piece]] | None = None
    visits: Callable[[], Visits] | None = None
    conversations: Callable[[RequestTable], Conversations | None] | None = None


def read_evidence(connection: duckdb.DuckDBPyConnection, budget: Budget | None = None) -> Evidence:
    """All that a review needs of a dataset. Depends on the dataset and `budget.reading` alone: worth caching."""
    requests = read_requests(connection, budget)
    path = load_path(connection, requests)
    restored = restore(connection, requests, path, budget or Budget())
    requests, path = restored.table, restored.path
    causes = find_causes(path, requests)
    spans, start, end = connection.sql(
        "SELECT count(*), min(start_ns), greatest(max(start_ns), max(end_ns)) FROM data.spans"
    ).fetchall()[0]
    traces = connection.sql("SELECT coalesce(max(trace_no) + 1, 0) FROM data.tree").fetchall()[0][0]
    facts = DatasetFacts(
        spans=spans,
        traces=traces,
        requests=len(requests),
        incomplete=int(np.count_nonzero(~requests.complete)),
        start=iso(start) if spans else None,
        end=iso(end) if spans else None,
        sampled=sampling_of(connection).sentence or None,
        warnings=warned_of_runs(connection),
    )
    ask = connection.cursor  # one for each question: visitors share what is returned, and two may ask at once
    spending = lru_cache(1)(lambda: read_spending(ask(), requests, path))
    costs = lru_cache(1)(lambda: cost_of_causes([spending()]))
    return Evidence(
        facts,
        requests,
        causes,
        spending,
        restored.rows,
        costs,
        lru_cache(1)(lambda: read_model_calls(ask(), requests)),
        lambda cohort: read_pieces(ask(), requests, cohort),
        lru_cache(1)(lambda: visits_of(path, requests)),
        lambda table: conversations(ask(), table),
    )
