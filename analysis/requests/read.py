"""The requests of a dataset, under the rules of a budget."""

from dataclasses import replace

import duckdb
import numpy as np
import pyarrow as pa

from overbudget.analysis.budget.model import Budget
from overbudget.analysis.budget.problems import question
from overbudget.analysis.requests.entry_attributes import EntryAttributes
from overbudget.analysis.requests.judged_answers import judge_answers
from overbudget.analysis.requests.parts import read_parts
from overbudget.analysis.requests.stored import read_stored
from overbudget.analysis.requests.table import (
    NAMED,
    Filters,
    RequestTable,
    first_tokens_without_waits,
    without_waits_for_person,
)
from overbudget.analysis.requests.waits import read_waits
from overbudget.kernels.arrow import Coded, table_of
from overbudget.store.errors import OverbudgetError


def load_requests(
    connection: duckdb.DuckDBPyConnection,
    budget: Budget | None = None,
    filters: Filters | None = None,
    include_incomplete: bool = False,
) -> RequestTable:
    """The requests that pass `filters`, with their stage times under the rules of `budget`.

    Incomplete requests are counted and left out unless they are asked for (docs/reference/method.md, "From spans to requests").
    """
    return read_requests(connection, budget).select(filters, include_incomplete)


def read_requests(connection: duckdb.DuckDBPyConnection, budget: Budget | None = None) -> RequestTable:
    """Every request of a dataset, incomplete ones too. Depends on the dataset and `budget.reading` alone.

    Where the budget has its own rules, the stages (and, with `[request] match`, the requests) are computed again.
    """
    budget = budget or Budget()
    if budget.reads_otherwise():
        from overbudget.analysis.requests.reclassify import apply_rules  # loads compiled kernels

        table = apply_rules(connection, budget)
    else:
        table = read_stored(connection)
    if table.user_ns.any() and (table.ttft_ns >= 0).any():
        waits = read_waits(connection, table.request_no) if table.waits is None else table.waits
        table = first_tokens_without_waits(table, waits)
    table = without_waits_for_person(table)
    attributes = EntryAttributes(connection, _own_entries(table))
    table = replace(table, entry_attributes=attributes, parts_ns=read_parts(connection, table))
    if budget.good is not None:
        scored, good = judge_answers(connection, budget.good, table)
        table = replace(table, scored=scored, good=good)
    return table


def _own_entries(table: RequestTable) -> pa.Table | None:
    if table.entry_span_no is None:
        return None
    return table_of(request_no=table.request_no, span_no=table.entry_span_no)


def require_known(table: RequestTable, filters: Filters) -> None:
    """Refuse filters on a route, service, model, status, version, environment or attribute that no request of `table` (the
    whole dataset's) has.

    Errors: OverbudgetError that names the existing ones.
    """
    for name in NAMED:
        choice = getattr(filters, name)
        for value in [choice] if isinstance(choice, str) else choice or []:
            if name == "route" and value not in table.route.names and value in table.recorded_names().names:
                continue
            _require_one_of(value, name, getattr(table, name))
    for key, values in filters.by_attribute().items():
        column = table.attribute(key)
        if len(table) and not (column.codes >= 0).any():
            raise OverbudgetError(
                f"No request's entry span, nor its resource, has the attribute `{key}`. An example of one with all that it "
                'has: overbudget sql DATASET "SELECT attributes, resource_attributes FROM spans WHERE parent_span_id IS NULL"'
            )
        for value in values:
            _require_one_of(value, key, column)


def _require_one_of(value: str, name: str, column: Coded) -> None:
    if value and value not in column.names:
        known = [column.names[code] for code in np.argsort(-column.count(), kind="stable") if column.count()[code]]
        listed = f" There are {', '.join(known[:10])}{', …' if len(known) > 10 else ''}." if known else ""
        raise OverbudgetError(f"No request has the {name} `{value}`.{question(value, known) or listed}")
