"""The objective over weeks in words and a table: what is spent of its error budget, how fast, and by what."""

from overbudget.analysis.budget.caps import MAIN_PERCENTILE
from overbudget.analysis.budget.objective import UNITS
from overbudget.analysis.objective.error_budget import Burn, ErrorBudget
from overbudget.analysis.review.result import Review
from overbudget.app.text.blocks import Block, Cell, Heading, Sentence, table
from overbudget.app.text.words import count, listed, percent, stage_name

TITLE = "Objective"
LAST = {"1h": "last hour", "1d": "last day", "7d": "last 7 days"}
UNKNOWN = "unknown"
MOST_STAGES = 3


def objective_blocks(review: Review) -> list[Block]:
    """What is spent of the error budget, in sentences and a table of burn rates; nothing without an objective."""
    if review.objective is None:
        return []
    return [
        Heading(TITLE),
        *(Sentence(text) for text in objective_sentences(review.objective, review.dataset.sampled is not None)),
        *table(
            "How fast the error budget is spent (1: exactly as fast as the objective allows)",
            ["", "requests", "burn rate"],
            [[LAST[one.window], f"{one.requests:,}", burn_cell(one)] for one in review.objective.burn],
            intervals=True,
        ),
    ]


def burn_cell(one: Burn) -> Cell:
    """A burn rate with its interval, marked where it is certainly more than allowed."""
    if one.burn_rate is None:
        return Cell(UNKNOWN, "unknown")
    if one.ci_low is None or one.ci_high is None:
        return Cell(f"{one.burn_rate:.2g}", None, "interval unknown")
    mark = "over" if one.ci_low > 1 else "at_risk" if one.burn_rate > 1 else "within"
    return Cell(f"{one.burn_rate:.2g}", mark, f"{one.ci_low:.2g} – {one.ci_high:.2g}")


def objective_sentences(found: ErrorBudget, sampled: bool = False) -> list[str]:
    """What was aimed at, what is spent, what burns too fast, and which stages spent it."""
    aim = f"{100 * found.within_target:.10g}% of requests that do not fail and keep the cap at p{MAIN_PERCENTILE}"
    over = f"over {_days(found.window_ns)}"
    if found.spent is None:
        return [f"The objective ({aim}, {over}) cannot be judged: no request in that time has a known outcome."]
    covered = "" if found.covered_ns >= found.window_ns else f" (the data covers {_days(found.covered_ns)})"
    kept = "that were recorded, " if sampled else ""
    did = f"{found.within:,} of {count(found.requests, 'request')} {kept}did: {_spent(found.spent)}"
    said = [f"The objective is {aim}, {over}{covered}. {did}."]
    fast = [one for one in found.burn if one.ci_low is not None and one.ci_low > 1]
    if fast:
        at = [f"{one.burn_rate:.2g} times in the {LAST[one.window]}" for one in fast]
        said.append(f"It is spent faster than allowed: {listed(at)}.")
    if found.spent:
        said.append(_burned_by(found))
    missing = [LAST[one.window] for one in found.burn if one.burn_rate is None]
    if missing:
        said.append(
            f"The burn rate of the {listed(missing)} is unknown: the data does not reach so far back, or most of that time is empty."
        )
    return said


def _spent(spent: float) -> str:
    if spent > 1:
        return f"the error budget is overspent, {spent:.2g} times what is allowed"
    return f"{percent(spent)} of the error budget is spent" if spent else "none of the error budget is spent"


def _burned_by(found: ErrorBudget) -> str:
    shown, rest = found.stages[:MOST_STAGES], sum(one.share for one in found.stages[MOST_STAGES:])
    parts = [f"{percent(one.share)} by requests that take too long in {stage_name(one.stage)}" for one in shown]
    parts += [f"{percent(rest)} in other stages"] * (rest > 0)
    parts += [f"{percent(found.failed)} by requests that failed"] * (found.failed > 0)
    parts += [f"{percent(found.unexplained)} by requests that no stage explains"] * (found.unexplained > 1e-9)
    return f"Of what is spent, {listed(parts)}." if parts else ""


def _days(ns: int) -> str:
    """A long time in words: `28 days`, `9 days 4 hours`, `36 hours`."""
    hours = round(ns / UNITS["h"])
    days, rest = divmod(hours, 24)
    if hours < 1:
        return "less than an hour"
    if days < 2 and rest:
        return count(hours, "hour")
    return " ".join([count(days, "day"), *([count(rest, "hour")] if rest else [])])
