"""The changes a what-if asks for, as it is written on the command line and as factors for the replay."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from analysis.budget_problems import question
from analysis.columns import numbers
from analysis.durations import format_duration, parse_duration
from analysis.replay import F64, Change, Shape, no_change, spread
from analysis.requests import I16, I32, RequestTable, row_of
from analysis.semconv import INPUT_KEYS, INPUT_PREFIXES, QUERY_KEYS, QUERY_PLACEHOLDER
from analysis.tree import Tree
from store.errors import OverbudgetError


@dataclass(frozen=True)
class Cap:
    """A stage takes at most so long in each request, or an operation each time."""

    what: str
    ns: int

    def __str__(self) -> str:
        return f"{self.what} takes at most {format_duration(self.ns)}"


@dataclass(frozen=True)
class Scale:
    """A stage or an operation takes `factor` times as long."""

    what: str
    factor: float

    def __str__(self) -> str:
        return f"{self.what} takes {self.factor:g} × as long" if self.factor else f"{self.what} takes no time"


@dataclass(frozen=True)
class Parallel:
    """Calls of these operations under one parent start together."""

    operations: tuple[str, ...]

    def __str__(self) -> str:
        return f"{', '.join(self.operations)} run in parallel"


@dataclass(frozen=True)
class Cache:
    """A call with the input of one that ended at most `ttl_ns` before is answered at once."""

    operation: str
    ttl_ns: int

    def __str__(self) -> str:
        return f"repeats of {self.operation} within {format_duration(self.ttl_ns)} come from a cache"


@dataclass(frozen=True)
class DropRetries:
    """Failed calls that were made again, and the pause after them, are left out."""

    def __str__(self) -> str:
        return "failed calls that were made again do not occur"


Wish = Cap | Scale | Parallel | Cache | DropRetries


def parse_wishes(
    cap: Sequence[str] = (),
    scale: Sequence[str] = (),
    parallel: Sequence[str] = (),
    cache: Sequence[str] = (),
    drop_retries: bool = False,
) -> list[Wish]:
    """The changes of the command line: STAGE=400ms, STAGE=0.5, "OP,OP", "OP=10m". A STAGE may be an operation's name.

    Errors: OverbudgetError that names the option and what is wrong.
    """
    wishes: list[Wish] = []
    wishes += [Cap(what, _duration("--cap", text, value)) for text in cap for what, value in [_pair("--cap", text)]]
    for text in scale:
        what, value = _pair("--scale", text)
        try:
            factor = float(value)
        except ValueError:
            factor = -1.0
        if not 0 <= factor <= 1000:
            raise OverbudgetError(f"--scale {text}: `{value}` is not a factor; write it like {what}=0.5.")
        wishes.append(Scale(what, factor))
    for text in parallel:
        names = split_names(text)
        if not names:
            raise OverbudgetError("--parallel names no operation.")
        wishes.append(Parallel(names))
    wishes += [
        Cache(what, _duration("--cache", text, value)) for text in cache for what, value in [_pair("--cache", text)]
    ]
    return [*wishes, DropRetries()] if drop_retries else wishes


def join_names(names: Sequence[str]) -> str:
    """Names as `--parallel` reads them: with commas between, in double quotes where a name has some of its own."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(names)
    return text.getvalue()


def split_names(text: str) -> tuple[str, ...]:
    """The names that `join_names` joined; blanks around them do not count."""
    rows = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
    return tuple(name.strip() for row in rows for name in row if name.strip())


def _pair(option: str, text: str) -> tuple[str, str]:
    what, equals, value = text.rpartition("=")
    if not equals or not what.strip():
        raise OverbudgetError(f"{option} {text} has no value; write it like {text.strip('=') or 'retrieval'}=400ms.")
    return what.strip(), value.strip()


def _duration(option: str, text: str, value: str) -> int:
    try:
        return parse_duration(value)
    except OverbudgetError as error:
        raise OverbudgetError(f"{option} {text}: `{value}` {error}.") from error


@dataclass(frozen=True)
class Nodes:
    """The spans of the requests at hand, by node, and what the changes look at.

    `request` is the row of the table each node belongs to, -1 for none; `stage` a place in the table's stages.
    """

    connection: duckdb.DuckDBPyConnection
    tree: Tree
    shape: Shape
    request: I32
    stage: I16
    table: RequestTable
    names: tuple[str, ...]  # of operations
    operation: I32  # place in `names`
    failed: npt.NDArray[np.bool_]  # spans whose status is an error
    retry_of: I32  # the failed call that this one repeats, -1 for none
    queued: F64  # the share of each span that it begins with in its server's queue


def change_of(wishes: Sequence[Wish], nodes: Nodes) -> Change:
    """The changes together: factors multiply, caps hold before other changes.

    Errors: OverbudgetError where a change names no stage or operation, or one whose calls record no input.
    """
    change = no_change(len(nodes.request))
    factor, group, groups, _, dropped = change
    for wish in wishes:
        match wish:
            case Cap() | Scale():
                factor *= _time_factor(wish, nodes)
            case Cache():
                hit = _hits(wish, nodes)
                factor *= _below(np.where(hit, 0.0, 1.0), nodes)
                dropped |= hit
            case DropRetries():
                again = np.zeros(len(factor), bool)
                again[nodes.retry_of[nodes.retry_of >= 0]] = True
                factor *= _below(np.where(again, 0.0, 1.0), nodes)
                dropped |= again
            case Parallel():
                group, groups = _grouped(wish, nodes, group, groups)
    return Change(factor, group, groups, nodes.retry_of, dropped)


def _is_operation(name: str, nodes: Nodes) -> npt.NDArray[np.bool_]:
    """The nodes of an operation."""
    if name not in nodes.names:
        known = [*nodes.table.stages, *nodes.names]
        raise OverbudgetError(f"There is no stage or operation `{name}`.{question(name, known)}")
    return np.asarray(nodes.operation == nodes.names.index(name))


def _time_factor(wish: Cap | Scale, nodes: Nodes) -> F64:
    if wish.what in nodes.table.stages:
        stage = nodes.table.stages.index(wish.what)
        if isinstance(wish, Scale):
            factor = np.full(len(nodes.stage), wish.factor)
        else:
            took = nodes.table.stage_ns[:, stage]
            of_request = np.append(np.where(took > wish.ns, wish.ns / np.maximum(took, 1), 1.0), 1.0)
            factor = of_request[nodes.request]
        of_waits = 1 - nodes.queued * (1 - factor) if wish.what == "queue" else 1.0
        return np.where(nodes.stage == stage, factor + nodes.queued * (1 - factor), of_waits)
    here = _is_operation(wish.what, nodes)
    if isinstance(wish, Scale):
        return _below(np.where(here, wish.factor, 1.0), nodes)
    took = nodes.tree.end - nodes.tree.start
    return _below(np.where(here & (took > wish.ns), wish.ns / np.maximum(took, 1), 1.0), nodes)


def _below(factor: F64, nodes: Nodes) -> F64:
    """A factor for the spans that have one counts for all that is below them; below one, no other one counts."""
    return np.asarray(spread(nodes.shape.parent, nodes.shape.downwards, factor))


_PREFIXED = " OR ".join(f"""starts_with(entry."key", '{prefix}')""" for prefix in INPUT_PREFIXES)
# The recorded input of each call of an operation: a hash, and whether there is any.
INPUTS = f"""
WITH calls AS (
    SELECT t.node, o.name, list_filter(s.attributes, lambda entry: entry."key" IN {INPUT_KEYS} OR {_PREFIXED}
        OR (entry."key" IN {QUERY_KEYS} AND NOT regexp_matches(entry."value", '{QUERY_PLACEHOLDER}'))) AS input,
        list_filter(s.attributes, lambda entry: entry."key" IN {QUERY_KEYS}) AS query
    FROM data.tree t JOIN data.spans s USING (span_no) JOIN operations o ON o.operation_id = t.operation_id
)
SELECT node, name, hash(input, query) AS input, (len(input) > 0)::TINYINT AS recorded FROM calls
"""


def _hits(wish: Cache, nodes: Nodes) -> npt.NDArray[np.bool_]:
    """The calls that a cache would have answered."""
    _is_operation(wish.operation, nodes)
    rows = nodes.connection.sql(f"SELECT * FROM ({INPUTS}) WHERE name = $1", params=[wish.operation]).to_arrow_table()
    node, told = numbers(rows["node"]), numbers(rows["recorded"]).astype(bool)
    if not told.any():
        raise OverbudgetError(
            f"No call of `{wish.operation}` records its input (such as input.value), so nothing tells which of them repeat."
        )
    node, given = node[told], numbers(rows["input"])[told]
    order = np.lexsort((node, nodes.tree.start[node], given))
    node, given = node[order], given[order]
    hit = np.zeros(len(nodes.request), bool)
    hit[node[served(given, nodes.tree.start[node], nodes.tree.end[node], nodes.failed[node], wish.ttl_ns)]] = True
    return hit


@numba.njit(cache=True, nogil=True)
def served(given, start, end, failed, ttl_ns):  # type: ignore[no-untyped-def]
    """Which calls (those of equal input together, in the order of their starts) a cache answers.

    The first call fills it when it ends; calls that start until then are made too, and so is the first one after the
    time to live, which fills it again. A call that fails fills nothing.
    """
    hit = np.zeros(given.size, np.bool_)
    filled, full = np.int64(0), False
    for i in range(given.size):
        if i > 0 and given[i] != given[i - 1]:
            full = False
        if full and filled <= start[i] <= filled + ttl_ns:
            hit[i] = True
        elif not failed[i] and not (full and start[i] < filled):
            filled, full = end[i], True
    return hit


def failures(connection: duckdb.DuckDBPyConnection, nodes: int) -> npt.NDArray[np.bool_]:
    """Which spans have an error as their status."""
    rows = connection.sql(
        "SELECT t.node FROM data.tree t JOIN data.spans s USING (span_no) WHERE s.status_code = 'ERROR'"
    ).to_arrow_table()
    failed = np.zeros(nodes, bool)
    failed[numbers(rows["node"])] = True
    return failed


def retries(tree: Tree, shape: Shape, failing: npt.NDArray[np.bool_]) -> I32:
    """int32[nodes]: the call that failed and was made again, under the same parent, with this one; -1 for none."""
    retry_of = np.full(len(tree.start), -1, np.int32)
    parents = np.zeros(len(retry_of), bool)
    parents[shape.parent[failing & (shape.parent >= 0)]] = True
    calls = np.flatnonzero((shape.parent >= 0) & parents[shape.parent])
    calls = calls[np.lexsort((tree.start[calls], tree.operation[calls], shape.parent[calls]))]
    a, b = calls[:-1], calls[1:]
    again = (shape.parent[a] == shape.parent[b]) & (tree.operation[a] == tree.operation[b])
    again &= failing[a] & (shape.done[a] <= tree.start[b])
    retry_of[b[again]] = a[again]
    return retry_of


def _grouped(wish: Parallel, nodes: Nodes, group: I32, groups: int) -> tuple[I32, int]:
    """Number the groups: the calls of the named operations under one parent."""
    here = np.zeros(len(group), bool)
    for name in wish.operations:
        here |= _is_operation(name, nodes)
    here &= nodes.shape.parent >= 0
    parents, number = np.unique(nodes.shape.parent[here], return_inverse=True)
    group = group.copy()
    group[here] = (groups + number).astype(np.int32)
    return group, groups + len(parents)


def operations_of(connection: duckdb.DuckDBPyConnection, operation_id: I32) -> tuple[tuple[str, ...], I32]:
    """The distinct names of operations, and for each operation id its place among them."""
    rows: pa.Table = connection.sql("SELECT operation_id, name FROM operations ORDER BY operation_id").to_arrow_table()
    names = rows["name"].to_pylist()
    distinct = {name: place for place, name in enumerate(dict.fromkeys(names))}
    places = np.array([distinct[name] for name in names], np.int32)
    return tuple(distinct), places[row_of(numbers(rows["operation_id"]), operation_id)]
