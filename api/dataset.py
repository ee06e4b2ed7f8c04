"""A dataset in Python: every answer of the command line as a method, every relation as an attribute."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, overload

from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError
from overbudget.store.relations import RELATIONS

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

    from overbudget.analysis.advice.advice import Advice
    from overbudget.analysis.allocate.allocate import Allocation
    from overbudget.analysis.compare.compare import Comparison
    from overbudget.analysis.consistency.consistency import Consistency
    from overbudget.analysis.health.audit import Audit
    from overbudget.analysis.load.load import Load
    from overbudget.analysis.review.result import Review
    from overbudget.analysis.tail.tail import Tail
    from overbudget.analysis.trace.result import Trace
    from overbudget.analysis.whatif.whatif import WhatIf
    from overbudget.answers.answer import Answer
    from overbudget.choices import BudgetLike, Only
    from overbudget.ingest.pipeline import IngestResult, Progress


def open(path: str | os.PathLike[str]) -> "Dataset":
    """The dataset in the file `path`, made by `overbudget ingest`. Any number of programs may have it open.

    Errors: OverbudgetError where the file is missing or not a dataset.
    """
    return Dataset(path)


def ingest(
    dumps: Sequence[str | os.PathLike[str]] | str | os.PathLike[str],
    to: str | os.PathLike[str],
    *,
    append: bool = False,
    adjust_clocks: bool = True,
    sampled: str | float | None = None,
    progress: "Callable[[Progress], None] | None" = None,
    budget: "BudgetLike" = None,
    no_content: bool = False,
) -> "Answer[IngestResult]":
    """Read dumps (files, folders, patterns) into the dataset `to`; returns what was read, with all warnings.

    `append` adds to an existing dataset instead of replacing it; with `adjust_clocks` off, times stay as recorded.
    `sampled` is the probability with which a trace was kept, or "tail", where the traces do not record it. `progress` is
    called from time to time. What the [redact] of `budget` names is not written; with
    `no_content` of prompts, answers and arguments only lengths and hashes are.

    Reading happens in the calling process, whose memory nobody watches: the limit ingest_memory holds for the command, which
    a program that reads dumps of strangers should start instead. All other limits hold.

    Errors: OverbudgetError where nothing readable is in the dumps, or `to` cannot be written.
    """
    from overbudget.answers import ingest
    from overbudget.choices import budget_of
    from overbudget.stages.redaction import Redaction

    named = budget_of(budget).redact if budget is not None else Redaction()
    redaction = replace(named, no_content=no_content)
    several = [dumps] if isinstance(dumps, str | os.PathLike) else dumps
    return ingest.ask(
        [os.fspath(dump) for dump in several], Path(to), append, progress, adjust_clocks, sampled, redaction
    )


class Relation:
    """A relation of the dataset as a DuckDB relation: `traces.requests.filter("complete").df()`."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, dataset: None, owner: type) -> "Relation": ...
    @overload
    def __get__(self, dataset: "Dataset", owner: type) -> "duckdb.DuckDBPyRelation": ...
    def __get__(self, dataset: "Dataset | None", owner: type) -> "duckdb.DuckDBPyRelation | Relation":
        return self if dataset is None else dataset.relation(self._name)


class Dataset:
    """A dataset that is open for reading, until `close` or the end of a `with` block.

    Methods about requests take `budget` (a path, TOML text, a dict or a Budget) and `only` (which requests:
    `"model=big"`, a list of such conditions, a dict or Filters), as --budget and --only do on the command line.
    """

    spans, span_events, span_links = Relation(), Relation(), Relation()
    operations, requests, critical_path = Relation(), Relation(), Relation()
    stage_time, stage_parts, model_calls, ingest_report = Relation(), Relation(), Relation(), Relation()

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._connection: duckdb.DuckDBPyConnection | None = open_dataset(self.path)

    @property
    def connection(self) -> "duckdb.DuckDBPyConnection":
        """The read-only DuckDB connection. Threads take a `cursor()` each. Errors: OverbudgetError after `close`."""
        if self._connection is None:
            raise OverbudgetError(f"The dataset {self.path} has been closed; open it again.")
        return self._connection

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> "Dataset":
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"overbudget.open({str(self.path)!r})"

    def relation(self, name: str) -> "duckdb.DuckDBPyRelation":
        """The relation `name` as a DuckDB relation. Errors: OverbudgetError where the dataset has none of that name."""
        if name not in RELATIONS:
            raise OverbudgetError(f"A dataset has no relation `{name}`; it has {', '.join(RELATIONS)}.")
        return self.connection.table(name)

    def sql(self, query: str) -> "pd.DataFrame":
        """The answer to one SQL statement as a pandas DataFrame; no access to files or the network.

        Errors: OverbudgetError with DuckDB's message where the query is wrong, or pandas is not installed.
        """
        from overbudget.app.extras import needs
        from overbudget.store.query import sql_frame

        with needs("pandas", "notebook", "sql()"):
            import pandas  # noqa: F401
        return sql_frame(self.connection, query)

    def review(
        self, budget: "BudgetLike" = None, *, only: "Only" = None, include_incomplete: bool = False
    ) -> "Answer[Review]":
        """Which stage blows the budget at p50, p75, p90, p95 and p99, and why. Its chart: what requests are made of."""
        from overbudget.answers import review
        from overbudget.choices import chosen, optional_budget

        return review.ask(self.connection, optional_budget(budget), chosen(only), include_incomplete)

    def tail(
        self,
        percentile: int = 95,
        budget: "BudgetLike" = None,
        *,
        only: "Only" = None,
        over_budget: bool = False,
    ) -> "Answer[Tail]":
        """What the slow requests (at or beyond `percentile`, or with `over_budget` beyond its cap) have in common.

        Errors: OverbudgetError where there are too few of them to compare.
        """
        from overbudget.answers import tail
        from overbudget.choices import chosen, optional_budget

        return tail.ask(self.connection, optional_budget(budget), chosen(only), percentile, over_budget)

    def what_if(
        self,
        *,
        cap: Mapping[str, str] | None = None,
        scale: Mapping[str, float] | None = None,
        parallel: Sequence[str] | Sequence[Sequence[str]] = (),
        cache: Mapping[str, str] | None = None,
        drop_retries: bool = False,
        drop: Sequence[str] = (),
        servers: Mapping[str, int] | None = None,
        tokens: Sequence[str] = (),
        budget: "BudgetLike" = None,
        only: "Only" = None,
    ) -> "Answer[WhatIf]":
        """Replay every request with changes, which combine: what the distribution of latency would be.

        `cap={"retrieval": "400ms"}`: the stage takes at most this long per request; an operation, per call.
        `scale={"inference": 0.5}`: its time is multiplied by this. `parallel=["tool a", "tool b"]` (or a list of such
        groups): calls of these operations under one parent start together. `cache={"embed": "10m"}`: repeated calls with
        the same input within that time take no time. `drop_retries`: leave out failed calls that were retried.
        `drop=["rerank"]`: leave out an operation and all below it. `servers={"SELECT docs": 5}`: this many may run at
        once, where the traces show a limit on them. `tokens=["input<=4000"]`: change the numbers of tokens.

        Errors: OverbudgetError where a change names something that does not occur.
        """
        from overbudget.analysis.whatif.changes import join_names, parse_changes
        from overbudget.answers import what_if
        from overbudget.choices import chosen, groups, optional_budget, pairs

        together = [join_names(names) for names in groups(parallel)]
        changes = parse_changes(
            pairs(cap), pairs(scale), together, pairs(cache), drop_retries, drop, pairs(servers), tokens
        )
        return what_if.ask(self.connection, optional_budget(budget), chosen(only), changes)

    def allocate(
        self,
        total: str | None = None,
        *,
        fixed: Sequence[str] = (),
        budget: "BudgetLike" = None,
        only: "Only" = None,
    ) -> "Answer[Allocation]":
        """Limits for every stage, but the `fixed` ones, with which the whole request keeps `total`, such as `p95=2s`.

        Without `total` it is the budget's cap at p95.

        Errors: OverbudgetError where there is neither, or a fixed stage does not occur.
        """
        from overbudget.answers import allocate
        from overbudget.choices import chosen, optional_budget

        return allocate.ask(self.connection, total, list(fixed), optional_budget(budget), chosen(only))

    def advise(self, budget: "BudgetLike" = None, *, only: "Only" = None) -> "Answer[list[Advice]]":
        """What to change first, why, and what the effect would be."""
        from overbudget.answers import advice
        from overbudget.choices import budget_file, chosen, optional_budget

        file = budget_file(budget)
        return advice.ask(self.connection, str(self.path), optional_budget(budget), chosen(only), file)

    def load(self, budget: "BudgetLike" = None, *, only: "Only" = None) -> "Answer[Load]":
        """Whether requests stay fast under load: where the budget breaks, and which stage grows first."""
        from overbudget.answers import load
        from overbudget.choices import chosen, optional_budget

        return load.ask(self.connection, optional_budget(budget), chosen(only))

    def consistency(self, budget: "BudgetLike" = None, *, only: "Only" = None) -> "Answer[Consistency]":
        """How predictable the latency is: per stage, model, route and hour."""
        from overbudget.answers import consistency
        from overbudget.choices import chosen, optional_budget

        return consistency.ask(self.connection, optional_budget(budget), chosen(only))

    def audit(self) -> "Answer[Audit]":
        """Whether the traces can be trusted: every problem, what it means, and how to repair it."""
        from overbudget.answers import health

        return health.ask(self.connection)

    def compare(
        self,
        candidate: "Dataset | str | os.PathLike[str]",
        budget: "BudgetLike" = None,
        *,
        only: "Only" = None,
        candidate_only: "Only" = None,
    ) -> "Answer[Comparison]":
        """What changed from this dataset, the base, to `candidate` (which may be this one, other requests of it).

        `only` selects requests of the base, `candidate_only` of the candidate.
        """
        from overbudget.analysis.compare.compare import Side
        from overbudget.answers import compare
        from overbudget.choices import chosen, optional_budget

        other = candidate if isinstance(candidate, Dataset) else Dataset(candidate)
        base = Side(self.connection, chosen(only))
        return compare.ask(base, Side(other.connection, chosen(candidate_only)), optional_budget(budget))

    def trace(self, trace_id: str) -> "Answer[Trace]":
        """The trace whose id is, or begins with, `trace_id`: its spans, and the critical path of its requests."""
        from overbudget.answers import trace

        return trace.ask(self.connection, trace_id)
