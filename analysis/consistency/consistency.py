"""How predictable is latency? Spread per stage, model, route and hour, windows over budget, and good answers.

A steady slower model can beat a fast erratic one (docs/reference/method.md, Consistency), so models are shown side by side.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeVar

import duckdb
import numpy as np
import numpy.typing as npt

from overbudget.analysis.budget.caps import cap_of
from overbudget.analysis.budget.caps import held_to as budget_of
from overbudget.analysis.budget.model import Budget, Caps
from overbudget.analysis.causes.model_tokens import ModelTokens, tokens_of_models
from overbudget.analysis.causes.prompt_growth import PromptGrowth, prompt_growth
from overbudget.analysis.common.percentiles import F64, I64, quantiles
from overbudget.analysis.consistency.bimodality import Modes, two_modes
from overbudget.analysis.consistency.conversations import Conversations, conversations
from overbudget.analysis.consistency.side_by_side import ModelSide, side_by_side
from overbudget.analysis.requests.model_calls import ModelCalls, conversations_of, read_model_calls
from overbudget.analysis.requests.parts import occurring_parts, part_ns
from overbudget.analysis.requests.read import read_requests, require_known
from overbudget.analysis.requests.table import GOOD, UNKNOWN, Filters, RequestTable, iso
from overbudget.kernels.arrow import numbers, row_of
from overbudget.stages.names import part_of

S = TypeVar("S", bound="Spread")

WINDOWS = 20  # that the time of the dataset is divided into
LEAST_IN_WINDOW = 20  # requests, to judge a window
HOUR_NS = 3_600_000_000_000
MOST_ROWS = 200  # routes, or hours


@dataclass(frozen=True)
class Spread:
    """How the times of one stage, model, route or hour spread.

    A stage's times are its own, all others are those of whole requests. `p95_ns` and `p99_ns` are None with too few
    requests. `within_budget` is a share (None without a cap), `good` the share of good answers among those that are
    judged. `windows_over_budget` of `windows` have a p95 over the cap. `bimodal` has the two modes where there are two.
    """

    name: str
    requests: int
    p50_ns: int
    p95_ns: int | None
    p99_ns: int | None
    p95_over_p50: float | None
    p99_over_p50: float | None
    budget_ns: int | None
    within_budget: float | None
    good: float | None
    windows: int | None
    windows_over_budget: int | None
    bimodal: Modes | None
    part_of: str | None = field(default=None, kw_only=True)  # the stage that this is a part of


@dataclass(frozen=True)
class Model(Spread):
    """A model, with the time of its answers alone, and their cost where that is recorded (means per request)."""

    inference_p50_ns: int
    inference_p95_ns: int | None
    inference_p95_over_p50: float | None
    good_within_budget: float | None
    input_tokens: float | None
    output_tokens: float | None
    cost: float | None
    ttft_p50_ns: int | None
    ttft_p95_ns: int | None
    time_per_output_token_p50_ns: int | None
    time_per_output_token_p95_ns: int | None


@dataclass(frozen=True)
class Window:
    """A stretch of time: p50 and p95 of the requests that started in it, None where they are too few."""

    start: str
    end: str
    requests: int
    p50_ns: int | None
    p95_ns: int | None
    over: bool | None


@dataclass(frozen=True)
class Consistency:
    """Spreads, the least predictable first; hours and windows in the order of time."""

    total: Spread | None
    stages: tuple[Spread, ...]
    models: tuple[Model, ...]
    routes: tuple[Spread, ...]
    hours: tuple[Spread, ...]
    windows: tuple[Window, ...]
    conversations: Conversations | None
    tokens: tuple[ModelTokens, ...] = ()
    prompt_growth: PromptGrowth | None = None
    side_by_side: tuple[ModelSide, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts and lists with the keys of docs/reference/json.md."""
        found = asdict(replace(self, tokens=()))
        found["tokens"] = [_without_pictures(one) for one in self.tokens]
        return found


def _without_pictures(one: ModelTokens) -> dict[str, Any]:
    found = asdict(replace(one, reading=None, writing=None))  # type: ignore[arg-type]
    return {key: value for key, value in found.items() if key not in ("reading", "writing")}


def consistency(
    connection: duckdb.DuckDBPyConnection, budget: Budget | None = None, filters: Filters | None = None
) -> Consistency:
    """How predictable the requests are that pass `filters`."""
    every = read_requests(connection, budget)
    require_known(every, filters or Filters())
    return consistency_of(connection, every.select(filters), budget)


def consistency_of(
    connection: duckdb.DuckDBPyConnection, table: RequestTable, budget: Budget | None = None
) -> Consistency:
    """Like `consistency`, for requests that were read and selected already."""
    if len(table) == 0:
        return Consistency(None, (), (), (), (), (), None)
    budget = budget or Budget()
    here = table.routes
    held_to = budget_of(budget, here)
    window = _window_of(table)

    def spread(name: str, rows: I64, times: I64, caps: Caps) -> Spread:
        return Spread(**_spread(table, window, name, rows, times[rows], caps))

    everyone = np.arange(len(table))
    stages = [
        spread(stage, np.flatnonzero(table.stage_ns[:, place] > 0), table.stage_ns[:, place], held_to.stage_caps(stage))
        for place, stage in enumerate(table.stages)
        if table.stage_ns[:, place].any()
    ]

    def parts_of(stage: str) -> Iterator[Spread]:
        for name in occurring_parts(table):
            if part_of(name) == stage:
                ns = part_ns(table, name)
                yield replace(spread(name, np.flatnonzero(ns > 0), ns, held_to.stage_caps(name)), part_of=stage)

    hour = table.start_ns // HOUR_NS
    hours = [(iso(int(h) * HOUR_NS)[:16] + "Z", np.flatnonzero(hour == h)) for h in np.unique(hour)[-MOST_ROWS:]]
    routes = sorted(here, key=lambda name: -int(table.route.count()[table.route.names.index(name)]))[:MOST_ROWS]
    calls = read_model_calls(connection, table)
    tokens = tokens_of_models(calls)
    growth = prompt_growth(calls, conversations_of(connection, table), table.start_ns, tokens)
    return Consistency(
        total=spread("whole request", everyone, table.latency_ns, held_to.caps),
        stages=tuple(one for stage in _least_predictable_first(stages) for one in (stage, *parts_of(stage.name))),
        models=_least_predictable_first(_models(connection, table, calls, window, held_to)),
        routes=_least_predictable_first(
            [
                spread(name, np.flatnonzero(table.route.among(name)), table.latency_ns, budget.for_route(name).caps)
                for name in routes
            ]
        ),
        hours=tuple(spread(name, rows, table.latency_ns, held_to.caps) for name, rows in hours),
        windows=windows_of(table, held_to.caps),
        conversations=conversations(connection, table),
        tokens=tuple(tokens),
        prompt_growth=growth,
        side_by_side=side_by_side(table, budget),
    )


def _spread(
    table: RequestTable, window: npt.NDArray[np.int64], name: str, rows: I64, times: I64, caps: Caps
) -> dict[str, Any]:
    weight = table.weight[rows]
    p50, p95, p99 = quantiles(times, (50, 95, 99), weights=weight)[0]
    held = cap_of(caps)
    cap = held.ns if held else None
    judged = table.good[rows] != UNKNOWN
    middle = p50.value_ns or 0
    known95, known99 = (one.value_ns if one.reached else None for one in (p95, p99))
    windows, over = _over_budget(window[rows], times, cap, weight)
    return {
        "name": name,
        "requests": len(rows),
        "p50_ns": middle,
        "p95_ns": known95,
        "p99_ns": known99,
        "p95_over_p50": round(known95 / middle, 3) if known95 is not None and middle else None,
        "p99_over_p50": round(known99 / middle, 3) if known99 is not None and middle else None,
        "budget_ns": cap,
        "within_budget": float(np.average(times <= cap, weights=weight)) if cap is not None and len(rows) else None,
        "good": float(np.average(table.good[rows][judged] == GOOD, weights=weight[judged])) if judged.any() else None,
        "windows": windows,
        "windows_over_budget": over,
        "bimodal": two_modes(times),
    }


def _least_predictable_first(found: list[S]) -> tuple[S, ...]:
    return tuple(sorted(found, key=lambda one: (-(one.p95_over_p50 or 0), -one.requests, one.name)))


def _models(
    connection: duckdb.DuckDBPyConnection,
    table: RequestTable,
    calls: ModelCalls,
    window: npt.NDArray[np.int64],
    budget: Budget,
) -> list[Model]:
    names = np.flatnonzero(table.model.count()).tolist()
    if not names:
        return []
    place = table.stages.index("inference") if "inference" in table.stages else None
    recorded, token_times = _recorded(connection, table), _token_times(calls, table)
    held = cap_of(budget.caps)
    cap = held.ns if held else None
    found = []
    for code in names:
        rows = np.flatnonzero(table.model.codes == code)
        inference = table.stage_ns[rows, place] if place is not None else np.zeros(len(rows), np.int64)
        p50, p95 = quantiles(inference, (50, 95), weights=table.weight[rows])[0]
        judged = table.good[rows] != UNKNOWN
        slow = p95.value_ns if p95.reached else None
        both = (table.good[rows] == GOOD) & (table.latency_ns[rows] <= (cap or 0))
        means: dict[str, Any] = {name: _mean(values[rows]) for name, values in recorded.items()}
        found.append(
            Model(
                **_spread(table, window, table.model.names[code], rows, table.latency_ns[rows], budget.caps),
                inference_p50_ns=p50.value_ns or 0,
                inference_p95_ns=slow,
                inference_p95_over_p50=round(slow / p50.value_ns, 3) if slow is not None and p50.value_ns else None,
                good_within_budget=float(np.average(both[judged], weights=table.weight[rows][judged]))
                if cap is not None and judged.any()
                else None,
                **means,
                **_streaming(table, rows, token_times.get(table.model.names[code])),
            )
        )
    return found


def _streaming(table: RequestTable, rows: I64, calls: tuple[I64, F64] | None) -> dict[str, Any]:
    """Time to the first token of the answers that record it, and from token to token of the calls that do.

    `calls` has the times per output token of a model's calls, and what each counts.
    """
    told = rows[table.ttft_ns[rows] >= 0]
    per_token, weight = calls or (np.zeros(0, np.int64), np.zeros(0))
    found: dict[str, Any] = {}
    for name, values, of in (
        ("ttft", table.ttft_ns[told], table.weight[told]),
        ("time_per_output_token", per_token, weight),
    ):
        for quantile in quantiles(values, (50, 95), weights=of)[0]:
            found[f"{name}_p{quantile.percentile}_ns"] = quantile.value_ns if quantile.reached else None
    return found


def _token_times(calls: ModelCalls, table: RequestTable) -> dict[str, tuple[I64, F64]]:
    """For each model: ns per output token after the first of its calls in the requests of `table`, and each call's weight."""
    if table.entry_span_no is not None:  # requests other than the stored ones
        return {}
    found = {}
    for code, name in enumerate(calls.model.names):
        here = (calls.model.codes == code) & (calls.per_token_ns > 0)
        found[name] = calls.per_token_ns[here], table.weight[calls.request[here]]
    return found


def _mean(values: F64) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def _recorded(connection: duckdb.DuckDBPyConnection, table: RequestTable) -> dict[str, F64]:
    """Tokens and cost of each request, NaN where none is recorded; each model call counts once, however often it is recorded."""
    if table.entry_span_no is not None:  # requests other than the stored ones
        return {name: np.full(len(table), np.nan) for name in ("input_tokens", "output_tokens", "cost")}
    rows = connection.sql(
        """SELECT request_no, coalesce(input_tokens, 'nan'::DOUBLE) AS input_tokens,
                  coalesce(output_tokens, 'nan'::DOUBLE) AS output_tokens, coalesce(cost, 'nan'::DOUBLE) AS cost
           FROM requests LEFT JOIN (SELECT request_no, sum(cost) AS cost FROM data.model_calls GROUP BY request_no) USING (request_no)"""
    ).to_arrow_table()
    place = row_of(numbers(rows["request_no"]), table.request_no)
    return {name: numbers(rows[name])[place] for name in ("input_tokens", "output_tokens", "cost")}


def _window_of(table: RequestTable) -> npt.NDArray[np.int64]:
    """The window, 0 to 19, that each request started in."""
    first, last = int(table.start_ns.min()), int(table.start_ns.max())
    length = max(1, -(-(last - first + 1) // WINDOWS))
    return (table.start_ns - first) // length


def _over_budget(window: I64, times: I64, cap: int | None, weight: F64) -> tuple[int | None, int | None]:
    """How many windows have enough requests, and how many of those a p95 over the cap."""
    if cap is None:
        return None, None
    judged = [(times[here], weight[here]) for here in (window == number for number in range(WINDOWS))]
    slow = [_p95(part, of) > cap for part, of in judged if len(part) >= LEAST_IN_WINDOW]
    return len(slow), sum(slow)


def _p95(times: I64, weight: F64) -> int:
    return quantiles(times, (95,), weights=weight)[0][0].value_ns or 0


def windows_of(table: RequestTable, caps: Caps) -> tuple[Window, ...]:
    """Twenty windows of equal length, each with its percentiles, and whether p95 is over its cap."""
    if len(table) == 0:
        return ()
    window = _window_of(table)
    first, last = int(table.start_ns.min()), int(table.start_ns.max())
    length = max(1, -(-(last - first + 1) // WINDOWS))
    held = cap_of(caps)
    cap = held.ns if held else None
    found = []
    for number in range(WINDOWS):
        here = window == number
        times = table.latency_ns[here]
        enough = len(times) >= LEAST_IN_WINDOW
        p50, p95 = (
            (one.value_ns for one in quantiles(times, (50, 95), weights=table.weight[here])[0])
            if enough
            else (None, None)
        )
        start, end = (iso(first + step * length) for step in (number, number + 1))
        over = p95 > cap if p95 is not None and cap is not None else None
        found.append(Window(start, end, len(times), p50, p95, over))
    return tuple(found)
