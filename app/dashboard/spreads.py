"""Spreads as tables of a page."""

from collections.abc import Sequence

from overbudget.analysis.causes.model_tokens import ModelTokens
from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.consistency.consistency import Model, Spread
from overbudget.analysis.consistency.side_by_side import ModelSide
from overbudget.app.charts.tokens import tokens_figure
from overbudget.app.dashboard import blocks, sidebar
from overbudget.app.dashboard.components.table import TableCell, table
from overbudget.app.text.consistency import TOKEN_COLUMNS, TOO_FEW, share_text, spread_name, token_cells, token_name
from overbudget.app.text.side_by_side import TITLE, cells, columns

MOST_ROWS = 24


def spreads(title: str, found: Sequence[Spread]) -> None:
    """Percentiles, spread, share within the cap at p95, windows over it, share of good answers."""
    if not found:
        return
    blocks.caption(title)
    capped = any(one.budget_ns is not None for one in found)
    good = len({one.good for one in found if one.good is not None}) > 1  # stages of the same requests all have the same
    columns = ["", "requests", "p50", "p95", "p99", "p95/p50"]
    columns += ["p95 cap", "within it", "windows over it"] * capped + ["good answers"] * good
    rows = []
    for one in found[:MOST_ROWS]:
        times = [format_duration(ns) if ns is not None else TOO_FEW for ns in (one.p50_ns, one.p95_ns, one.p99_ns)]
        ratio = _ratio(one.p95_over_p50)
        windows = f"{one.windows_over_budget} of {one.windows}" if one.windows else "–"
        more = ([format_duration(one.budget_ns), share_text(one.within_budget), windows] if capped else []) + (
            [share_text(one.good)] if good else []
        )
        modes = " (two modes)" if one.bimodal else ""
        rows.append(
            [
                TableCell(f"{spread_name(one)}{modes}", "wide"),
                *map(TableCell, (f"{one.requests:,}", *times, ratio, *more)),
            ]
        )
    table(columns, rows, f"spreads {title}", f"{title}: percentiles and spread")


def _ratio(ratio: float | None) -> str:
    """A ratio with the digits that mean something."""
    if ratio is None:
        return "–"
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:,.0f}" if ratio < 1_000 else "> 1,000"


def side_by_side(found: Sequence[ModelSide]) -> None:
    """Models side by side: steadiness, share within budget and share of good answers, with intervals."""
    if not found:
        return
    blocks.caption(TITLE)
    rows = [
        [TableCell(one.name, "wide"), *(blocks.table_cell(cell) for cell in cells(one, found))]
        for one in found[:MOST_ROWS]
    ]
    table(["", *columns(found)], rows, "side by side", "Models side by side, with 95 % intervals")


def models(found: Sequence[Model]) -> None:
    """What the models' answers take alone, their tokens and their cost."""
    if not found:
        return
    blocks.caption("The models' answers alone; tokens and cost are means per request")
    columns = [
        "",
        "p50",
        "p95",
        "first token p50",
        "p95",
        "per output token",
        "tokens in",
        "out",
        "cost",
        "good within p95 cap",
    ]
    rows = []
    for one in found[:MOST_ROWS]:
        slow = format_duration(one.inference_p95_ns) if one.inference_p95_ns is not None else TOO_FEW
        streamed = (one.ttft_p50_ns, one.ttft_p95_ns, one.time_per_output_token_p50_ns)
        tokens = [f"{n:,.0f}" if n is not None else "–" for n in (one.input_tokens, one.output_tokens)]
        texts = [format_duration(one.inference_p50_ns), slow, *map(format_duration, streamed), *tokens]
        texts += [f"{one.cost:.5f}" if one.cost is not None else "–", share_text(one.good_within_budget)]
        rows.append([TableCell(one.name, "wide"), *map(TableCell, texts)])
    table(columns, rows, "models", "Models: time of answers, tokens, cost")


def tokens(found: Sequence[ModelTokens]) -> None:
    """What tokens cost each model in time, and the calls that show it for the one that is chosen."""
    if not found:
        return
    blocks.caption(
        "What tokens cost in time, with 95 % intervals; input tokens are those not from the provider's cache"
    )
    rows = [[TableCell(token_name(one), "wide"), *map(TableCell, token_cells(one))] for one in found[:MOST_ROWS]]
    table(["", *TOKEN_COLUMNS], rows, "tokens", "What tokens cost each model in time")
    names = [token_name(one) for one in found[:MOST_ROWS]]
    shown = found[names.index(sidebar.one_of("tokens of", names))] if len(names) > 1 else found[0]
    before = "until the first token" if shown.by_first_token else "without writing"
    for picture, what, key in (
        (shown.reading, f"Time {before} by input tokens", "reading"),
        (shown.writing, "Time of writing by output tokens", "writing"),
    ):
        line = (
            "the line is the fitted cost" if picture.ns_per_token is not None else "tokens do not show what they cost"
        )
        blocks.caption(f"{what}: calls of {token_name(shown)}; {line}")
        blocks.chart(tokens_figure(picture), f"tokens {key}", what)
