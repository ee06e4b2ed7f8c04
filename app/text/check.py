"""The outcome of a check in plain sentences."""

from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.review.limits import CallLimitRow, LimitRow
from overbudget.analysis.review.over import Over, every_row, unjudged
from overbudget.analysis.review.result import Review
from overbudget.analysis.review.rows import FIRST_TOKEN, TOTAL, CallRow, PercentileRow
from overbudget.app.text.blocks import Block, Points, Sentence
from overbudget.app.text.first_token import figure_of_calls, late_first_token, what_of
from overbudget.app.text.limits import exceeded_text, limited
from overbudget.app.text.notes import warned
from overbudget.app.text.review import review_blocks
from overbudget.app.text.why import all_slow, lately
from overbudget.app.text.words import capital, count, percent, quoted, stage_name

NO_SPAN = "no span says how long it takes"


def check_blocks(review: Review, broken: list[Over], whole: bool = False) -> list[Block]:
    """The outcome of a check; with the `whole` review below it for a pull request."""
    said = check_sentences(review, broken)
    return [Points(tuple(said)), *review_blocks(review)] if whole else [Sentence(sentence) for sentence in said]


def check_sentences(review: Review, broken: list[Over]) -> list[str]:
    """The outcome of a check: what could not be judged first, then every broken cap, or that none is."""
    unsure = unjudged(review)
    asked = sum(row.verdict is not None for row in _capped(review)) + len(review.limits) + len(review.call_limits)
    if not asked:
        return ["The budget has no caps, so there is nothing to check."]
    said = warned(review)
    if unsure:
        said.append(f"NOT JUDGED: {_unsure(unsure, asked)} This is not a pass.")
        if review.all_slow is not None:
            said += all_slow(review.all_slow)
        elif review.parts_over is not None and review.parts_over.over:
            said.append(lately(review.parts_over))
    risky = [row for row in _capped(review) if row.verdict == "at_risk"]
    said += [_risky(row, review) for row in risky]
    said += [_broken(entry, review) for entry in broken]
    why = late_first_token(review)
    said += [capital(f"{why}.")] if why else []
    if not broken:
        said.append("No cap is known to be broken." if unsure or risky else "Every cap is met.")
    return said


def _risky(row: PercentileRow, review: Review) -> str:
    """A cap that may be broken."""
    what = f"p{row.percentile} of {what_of(row)}"
    cap = format_duration(row.budget_ns)
    if row.failed and review.failed:
        return f"NOT CERTAIN: {percent(review.failed['share'])} of the requests fail, so {what} may be over its cap of {cap}."
    between = f"between {format_duration(row.ci_low_ns)} and {format_duration(row.ci_high_ns)}"
    return f"NOT CERTAIN: {what} is {format_duration(row.latency_ns)}, over its cap of {cap}, but may lie {between}."


def _capped(review: Review) -> list[PercentileRow]:
    return [row for _, row in every_row(review)]


def _unsure(unsure: list[PercentileRow | LimitRow | CallLimitRow], asked: int) -> str:
    """How many caps, and why the first could not be judged."""
    row = unsure[0]
    if isinstance(row, LimitRow | CallLimitRow):
        known = row.calls if isinstance(row, CallLimitRow) else row.requests
        of_stage = isinstance(row, LimitRow) and row.stage not in (TOTAL, FIRST_TOKEN)
        why = NO_SPAN if of_stage and not row.without else _recorded(known, row.without)
        what = f"the limit on {limited(row)}"
    else:
        what, why = f"p{row.percentile} of {what_of(row)}", _unknown(row)
    return f"{len(unsure)} of {count(asked, 'cap')} could not be judged ({what}: {why})."


def _unknown(row: PercentileRow) -> str:
    each = "call" if isinstance(row, CallRow) else "request"
    without = getattr(row, "without", 0)
    if not row.n or row.n < without:
        return _recorded(row.n, without)
    if row.independence == "unknown":
        return f"{count(row.n, each)} that are too alike"
    if row.needs is not None:
        return f"{count(row.n, each)}, at least {row.needs:,} are needed"
    return NO_SPAN


def _recorded(n: int, without: int) -> str:
    return f"{n:,} of {n + without:,} record it" if n else "nothing records it"


def _what(entry: Over) -> str:
    if entry.figure == FIRST_TOKEN:
        return "the first token"
    if entry.figure is not None:
        return figure_of_calls(entry.figure, entry.model or entry.stage, entry.model is not None)
    return "the whole request" if entry.stage == TOTAL else stage_name(entry.stage)


def _broken(entry: Over, review: Review) -> str:
    what = _what(entry)
    where = f" in {quoted(entry.route)}" if entry.route is not None else ""
    if entry.requests is not None:
        return exceeded_text(what, entry.route, entry.requests, entry.budget_ns, entry.latency_ns)
    if entry.calls is not None:
        return exceeded_text(what, None, entry.calls, entry.budget_ns, entry.latency_ns, "call")
    if entry.failed:
        fail = (
            f"{percent(review.failed['share'])} of the requests fail"
            if review.failed and not entry.route
            else "too many fail"
        )
        return f"p{entry.percentile} of {what}{where} is over its cap of {format_duration(entry.budget_ns)}: {fail}."
    over = f"{format_duration(entry.latency_ns - entry.budget_ns)} over its cap of {format_duration(entry.budget_ns)}"
    return f"p{entry.percentile} of {what}{where} is {format_duration(entry.latency_ns)}, {over}."
