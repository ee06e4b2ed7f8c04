"""What each cause takes of each request: time on the critical path, calls on it, calls made."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import duckdb
import numpy as np

from overbudget.analysis.causes.calls import Bool, Calls, read_calls
from overbudget.analysis.causes.tokens_on_path import INFERENCE, PathTokens, read_path_tokens
from overbudget.analysis.causes.why import Amount
from overbudget.analysis.common.percentiles import F64
from overbudget.analysis.requests.path import PathTable
from overbudget.analysis.requests.stored import load_path
from overbudget.analysis.requests.table import I32, I64, RequestTable
from overbudget.kernels.arrow import row_of

MOST_COUNTED = 20_000_000

Cause = tuple[str, str, str | None]  # service, operation, and where a hop leads (None: its self time)


@dataclass(frozen=True)
class Spending:
    """Causes by number, `causes[j]`, and what requests spend on them.

    Segment s of the critical paths belongs to row `row[s]` of the request table, to cause `cause[s]` and takes `ns[s]`;
    `failed[s]` says whether its call failed, `first[s]` marks one segment of each call and cause, `stage[s]` is an index
    into the table's stages. Call c was made by row `made_row[c]` for cause `made_cause[c]`; `made_failed[c]` says whether
    it failed.
    """

    requests: int
    causes: tuple[Cause, ...]
    row: I32
    cause: I64
    ns: I64
    stage: I32
    call: I32
    failed: Bool
    first: Bool
    made_row: I32
    made_cause: I64
    made_failed: Bool
    widths: Mapping[Cause, int]  # of equal siblings: how many calls run at once and count as one
    tokens: PathTokens | None = None  # None where none are recorded
    token_call: I32 | None = None  # per segment the row in `tokens.calls` whose time it is, -1 for none

    def amounts(self, weights: F64, stage: int | None = None) -> list[tuple[Amount, Amount]]:
        """Per cause the means of a cohort in which row i counts `weights[i]` (they sum to 1): calls that did not fail,
        and calls that did. With `stage`, only the time of one stage."""
        size = 2 * len(self.causes)
        of_segment = weights[self.row] if stage is None else weights[self.row] * (self.stage == stage)
        kind = 2 * self.cause + self.failed
        ns = np.bincount(kind, of_segment * self.ns, minlength=size)
        on_path = np.bincount(kind[self.first], of_segment[self.first], minlength=size)
        made = np.bincount(2 * self.made_cause + self.made_failed, weights[self.made_row], minlength=size)
        each = [Amount(*one) for one in zip(made.tolist(), on_path.tolist(), ns.tolist(), strict=True)]
        if self.tokens is not None and self.token_call is not None:
            rows = np.flatnonzero((of_segment > 0) & self.first & (self.token_call >= 0))
            for number, means in _mean_tokens(self.tokens, kind[rows], self.token_call[rows], of_segment[rows]).items():
                each[number] = replace(each[number], **means)
        return list(zip(each[::2], each[1::2], strict=True))

    def amount(self, cause: Cause, weights: F64, stage: int) -> tuple[Amount, Amount]:
        """The same of one cause and one stage."""
        j = self.causes.index(cause)
        here = np.flatnonzero((self.cause == j) & (self.stage == stage))
        made = np.flatnonzero(self.made_cause == j)
        weight, first = weights[self.row[here]], self.first[here]
        failed, of_call = self.failed[here].astype(np.int64), self.made_failed[made].astype(np.int64)
        parts = (
            np.bincount(of_call, weights[self.made_row[made]], minlength=2),
            np.bincount(failed[first], weight[first], minlength=2),
            np.bincount(failed, weight * self.ns[here], minlength=2),
        )
        each = [Amount(*(float(part[kind]) for part in parts)) for kind in (0, 1)]
        if self.tokens is not None and self.token_call is not None:
            rows = here[first & (weight > 0) & (self.token_call[here] >= 0)]
            of_segment = weights[self.row[rows]]
            means = _mean_tokens(self.tokens, self.failed[rows].astype(np.int64), self.token_call[rows], of_segment)
            each = [replace(amount, **means.get(kind, {})) for kind, amount in enumerate(each)]
        return each[0], each[1]


def _mean_tokens(tokens: PathTokens, kind: I64, call: I32, weight: F64) -> dict[int, dict[str, float]]:
    """Per kind, the mean tokens of the calls that record them."""
    found: dict[int, dict[str, float]] = {}
    columns = {
        "prompt_tokens": tokens.calls.prompt,
        "answer_tokens": tokens.calls.answer,
        "cached_tokens": tokens.calls.cached,
    }
    for name, column in columns.items():
        counts = column[call]
        known = counts >= 0
        sums = np.bincount(kind[known], weight[known] * counts[known])
        weights = np.bincount(kind[known], weight[known])
        for number in np.flatnonzero(weights).tolist():
            found.setdefault(number, {})[name] = float(sums[number] / weights[number])
    return found


def read_spending(
    connection: duckdb.DuckDBPyConnection,
    table: RequestTable,
    path: PathTable | None = None,
    every: RequestTable | None = None,
) -> Spending:
    """What the requests in `table` spend, by cause; `every` are the requests from which they were selected by latency."""
    path = path or load_path(connection, table)
    tokens = read_path_tokens(connection, path, table, every if every is not None else table)
    return spend(path, table, read_calls(connection, table, path), tokens)


def spend(path: PathTable, table: RequestTable, calls: Calls, tokens: PathTokens | None = None) -> Spending:
    """The same from a critical path, calls and tokens that were read already."""
    row = row_of(table.request_no, path.request_no)
    kept = np.flatnonzero(row >= 0)
    row, operation, span = row[kept], path.operation[kept], path.span_no[kept]
    places = len(path.places) + 1
    names = max(len(path.name.names), 1)
    own = path.service.codes.astype(np.int64) * names + path.name.codes
    key = own[operation] * places + path.hop[kept] + 1
    made = (calls.service.astype(np.int64) * names + calls.name) * places + calls.place + 1
    distinct, cause = numbered(np.concatenate([key, made]), max(len(path.service.names), 1) * names * places)
    called, place = np.divmod(distinct, places)
    call = np.where(span < len(calls.of_span), calls.of_span[np.minimum(span, len(calls.of_span) - 1)], -1)
    segments = len(key)
    return Spending(
        requests=len(table),
        causes=tuple(
            (path.service.names[c // names], path.name.names[c % names], path.places[p - 1] if p else None)
            for c, p in zip(called.tolist(), place.tolist(), strict=True)
        ),
        row=row,
        cause=cause[:segments],
        ns=path.duration_ns[kept],
        stage=path.stage[kept].astype(np.int32),
        call=call,
        failed=np.append(calls.failed, False)[call],
        first=_first_of_call(call, cause[:segments]),
        made_row=calls.row,
        made_cause=cause[segments:],
        made_failed=calls.failed,
        widths=_widths(path),
        tokens=tokens,
        token_call=None if tokens is None else _token_call(tokens, path, table, kept),
    )


def _token_call(tokens: PathTokens, path: PathTable, table: RequestTable, kept: I64) -> I32:
    """For each kept segment the model call whose time it is; only segments of inference have one."""
    call = tokens.of(path.span_no[kept])
    return np.where(path.stage[kept] == table.stages.index(INFERENCE), call, -1)


def _widths(path: PathTable) -> dict[Cause, int]:
    """The causes that are equal siblings. Only grouped operations have a place that stands for several."""
    wide = {group.place: group.width for group in path.siblings.values()}
    pairs = np.unique(np.stack([path.operation, path.hop]), axis=1).T.tolist() if wide else []
    return {
        (path.service.names[path.service.codes[o]], path.name.names[path.name.codes[o]], path.places[h]): wide[
            path.places[h]
        ]
        for o, h in pairs
        if h >= 0 and path.places[h] in wide
    }


def _first_of_call(call: I32, cause: I64) -> Bool:
    """Marks one segment of each pair of call and cause."""
    first = np.zeros(len(call), bool)
    if len(call) == 0:
        return first
    first_of = np.full(int(call.max()) + 2, -1, np.int64)
    first_of[call[::-1]] = np.arange(len(call))[::-1]
    head = first_of[call]
    first[head] = True
    other = np.flatnonzero(cause != cause[head])  # calls with both self time and hops on the path: few
    pairs = call[other].astype(np.int64) * (int(cause.max()) + 1) + cause[other]
    first[other[np.unique(pairs, return_index=True)[1]]] = True
    return first


def numbered(keys: I64, size: int) -> tuple[I64, I64]:
    """The distinct keys, ascending, and each key's index among them. All are below `size`.

    Counting is ten times as fast as sorting, where there is room to count.
    """
    if size > MOST_COUNTED:
        distinct, place = np.unique(keys, return_inverse=True)
        return distinct, place.astype(np.int64)
    seen = np.zeros(size, bool)
    seen[keys] = True
    return np.flatnonzero(seen).astype(np.int64), (np.cumsum(seen) - 1)[keys]
