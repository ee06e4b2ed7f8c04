"""The review in plain sentences: the same words on the page, on the command line and in the report."""

from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.review.result import (
    TOTAL,
    Breakdown,
    CauseOperation,
    Culprit,
    Over,
    PercentileRow,
    Review,
    StageRow,
)
from overbudget.stages.names import UNATTRIBUTED

LONGEST_NAME = 60
USUAL = 95  # the percentile to speak of where nothing makes another one more telling
MUCH_UNATTRIBUTED = 0.25


def headline(review: Review) -> list[str]:
    """Two sentences (each may have a second clause): how the whole request does, and which stage and operation are why.

    Names from the data stand in backquotes, cut and without line breaks; they are not escaped otherwise.
    """
    if not review.end_to_end or review.end_to_end[0].n == 0:
        return _nothing(review)
    worst = _worst(review, "over") or _worst(review, "at_risk")
    if worst is not None:
        return [_total(review, worst), _why(review, worst)]
    known = [row for row in review.end_to_end if row.needs is None]
    if not known:
        return _too_few(review)
    within = [row for row in review.end_to_end if row.verdict == "within"]
    usual = next((row for row in reversed(known) if row.percentile <= USUAL), known[-1])
    row = within[-1] if within else usual
    return [_total(review, row), _stage_over(review) or _route_over(review) or _calm(review, row)]


def notes(review: Review) -> list[str]:
    """What a reader should know besides: what was left out, what could not be told, what the budget names in vain."""
    said = []
    left_out = review.selected["incomplete_left_out"]
    if left_out and review.end_to_end and review.end_to_end[0].n:
        them = count(left_out, "incomplete request")
        said.append(f"{them} left out: a missing span or end makes the time unsure.")
    unknown = [row for row in review.end_to_end if row.needs is not None]
    if unknown and len(unknown) < len(review.end_to_end):
        said.append(f"Too few requests to tell {_needs(unknown)}.")
    spoken = _main_breakdown(review)
    shares = {stage.stage: stage.share for stage in spoken.stages} if spoken else {}
    if spoken is None and review.overall is not None:
        shares = {stage["stage"]: stage["share"] for stage in review.overall.stages}
    share = shares.get(UNATTRIBUTED, 0.0)
    if share >= MUCH_UNATTRIBUTED:
        of = f"a p{spoken.percentile} request" if spoken else "the time"
        said.append(
            f"{share:.0%} of {of} passes in no classified span: "
            "instrument it, or name its spans in the budget's `match` rules."
        )
    said += [f"No span is classified as {stage}, so its cap cannot be judged." for stage in review.unmatched["stages"]]
    said += [
        f"The budget names the route {quoted(route)}, which no request has." for route in review.unmatched["routes"]
    ]
    return said


def check_sentences(review: Review, broken: list[Over]) -> list[str]:
    """The outcome of a check: a sentence for every broken cap, or one that says that none is."""
    if broken:
        return [_broken(entry) for entry in broken]
    judged = [row for row in (*review.end_to_end, *review.stages) if row.verdict is not None]
    unsure = [row for row in judged if row.verdict in ("unknown", "at_risk")]
    if not judged and not any(row.verdict for route in review.routes for row in (*route.end_to_end, *route.stages)):
        return ["The budget has no caps, so there is nothing to check."]
    if unsure:
        return [
            f"No cap is known to be broken; {len(unsure)} of {count(len(judged), 'cap')} could not be told for certain."
        ]
    return ["Every cap is kept."]


def _broken(entry: Over) -> str:
    what = "the whole request" if entry.stage == TOTAL else stage_name(entry.stage)
    where = f" in {quoted(entry.route)}" if entry.route is not None else ""
    over = f"{format_duration(entry.latency_ns - entry.budget_ns)} over its cap of {format_duration(entry.budget_ns)}"
    return f"p{entry.percentile} of {what}{where} is {format_duration(entry.latency_ns)}, {over}."


def _needs(rows: list[PercentileRow]) -> str:
    return ", ".join(f"p{row.percentile} ({row.n:,}; needs {row.needs or 0:,})" for row in rows)


def quoted(name: str) -> str:
    """A name from the data as text in a sentence: one line, not too long, in backquotes."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in name).replace("`", "'").split())
    if len(plain) > LONGEST_NAME:
        plain = plain[: LONGEST_NAME - 1] + "…"
    return f"`{plain or '(no name)'}`"


def count(n: int, what: str) -> str:
    """`1 request`, `3,000 requests`."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def stage_name(stage: str) -> str:
    """A stage within a sentence."""
    return "unattributed time" if stage == UNATTRIBUTED else stage


def operation_name(operation: CauseOperation) -> str:
    """An operation in a table: its service, and for a hop where it goes."""
    hop = f" → {quoted(operation.hop_to)}" if operation.hop_to else ""
    return f"{quoted(operation.name)} in {quoted(operation.service_name)}{hop}"


def _nothing(review: Review) -> list[str]:
    left_out = review.selected["incomplete_left_out"]
    if left_out:
        return [
            f"There are only incomplete requests here ({left_out:,}).",
            "Their time is unsure, because spans or ends are missing; include them to look at them all the same.",
        ]
    if review.selected["filters"] and review.dataset.requests:
        return ["No request passes these filters.", f"Without them there are {review.dataset.requests:,}."]
    if review.dataset.spans:
        return [
            "There are spans but no requests.",
            "Check [request] in the budget: its `match` names the spans that count.",
        ]
    return [
        "There are no requests in this dataset.",
        "Read a dump with spans in it: overbudget ingest DUMP --to FILE.duckdb.",
    ]


def _worst(review: Review, verdict: str) -> PercentileRow | None:
    """The highest percentile with that verdict, one with a full interval first."""
    rows = [row for row in review.end_to_end if row.verdict == verdict]
    return next((row for row in reversed(rows) if row.needs is None), rows[-1] if rows else None)


def _total(review: Review, row: PercentileRow) -> str:
    latency = row.latency_ns or 0
    cap = row.budget_ns
    name = f"p{row.percentile}"
    if row.verdict == "over" and row.needs is not None and row.ci_low_ns is not None and cap is not None:
        least = f"{format_duration(row.ci_low_ns - cap)} over budget or more"
        return f"{name} of {count(row.n, 'request')} is at least {format_duration(row.ci_low_ns)}, {least}."
    if row.verdict == "over" and cap is not None:
        return f"{name} is {format_duration(latency)}, {format_duration(latency - cap)} over budget."
    if row.verdict == "at_risk" and cap is not None:
        between = f"between {format_duration(row.ci_low_ns)} and {format_duration(row.ci_high_ns)}"
        return (
            f"{name} is {format_duration(latency)}, {format_duration(latency - cap)} over budget, "
            f"but {count(row.n, 'request')} only tell that it is {between}."
        )
    if row.verdict == "within":
        untold = [
            other for other in review.end_to_end if other.verdict == "unknown" and other.percentile > row.percentile
        ]
        but = f"; too few requests to tell {_needs(untold)}" if untold else ""
        return f"{name} is {format_duration(latency)}, within its budget of {format_duration(cap)}{but}."
    if review.budget is None:
        return f"{name} is {format_duration(latency)}; no budget is set."
    return f"{name} is {format_duration(latency)}; the budget has no cap for the whole request."


def _why(review: Review, row: PercentileRow) -> str:
    """The sentence about the stage behind the total at `row`."""
    made_of = review.made_of(row.percentile)
    if made_of.band_latency_ns is None:
        return f"Too few requests are that slow to say which stage is why ({made_of.band_requests}; it takes 5)."
    if made_of.culprit is None:
        return _largest(made_of)
    culprit = made_of.culprit
    mean = next(stage.mean_ns for stage in made_of.stages if stage.stage == culprit.stage)
    takes = format_duration(mean, beside_ns=made_of.band_latency_ns)
    over = f"{format_duration(culprit.overrun_ns)} {_basis(culprit)}"
    text = f"{stage_name(culprit.stage)} takes {takes} of it, {over}{_because(culprit)}."
    if culprit.basis == "typical" and any(stage.budget_ns is not None for stage in made_of.stages):
        return f"No stage is over its cap; {text}"
    return _capital(text)


def _largest(made_of: Breakdown) -> str:
    if not made_of.stages:
        return "They take no time at all."
    stage = max(made_of.stages, key=lambda found: found.mean_ns)
    takes = format_duration(stage.mean_ns, beside_ns=made_of.band_latency_ns)
    return _capital(f"{stage_name(stage.stage)} takes the largest part of it, {takes} ({stage.share:.0%}).")


def _basis(culprit: Culprit) -> str:
    return "over its cap" if culprit.basis == "cap" else "more than in typical requests"


def _because(culprit: Culprit) -> str:
    operation = culprit.operation
    if operation is None:
        return ""
    name = quoted(operation.name)
    if not operation.tail:
        waiting = f", waiting for {quoted(operation.hop_to)}" if operation.hop_to else ""
        return f"; most of it is {name}{waiting}, in typical requests too"
    if operation.hop_to is None:
        return f"; {name} is why{_grown(operation)}"
    place = quoted(operation.hop_to)
    if operation.callee_ns is None:
        return f"; {name} waiting for {place} is why{_grown(operation)}"
    passes = format_duration(operation.mean_ns)
    return f"; {passes} pass before {place} starts on {name}, which then runs {format_duration(operation.callee_ns)}"


def _grown(operation: CauseOperation) -> str:
    """Why it grew, where that is more than that it takes longer, which is said already."""
    why = operation.why
    if why is None or (abs(why.how_slow_ns) > abs(operation.excess_ns) / 2 and why.width == 1):
        return ""
    return f" ({why.sentence})"


def _stage_over(review: Review) -> str | None:
    """The stage that breaks its cap by most, while the whole request keeps to its own."""
    rows = [row for row in review.stages if row.verdict == "over"]
    if not rows:
        return None
    row: StageRow = max(rows, key=lambda found: (found.ci_low_ns or 0) - (found.budget_ns or 0))
    over = f"{format_duration((row.latency_ns or 0) - (row.budget_ns or 0))} over its cap"
    culprit = review.made_of(row.percentile).culprit
    why = _because(culprit) if culprit is not None and culprit.stage == row.stage else ""
    return f"But p{row.percentile} of {stage_name(row.stage)} is {format_duration(row.latency_ns)}, {over}{why}."


def _route_over(review: Review) -> str | None:
    for route in review.routes:
        for row in reversed(route.end_to_end):
            if row.verdict == "over":
                by = format_duration((row.latency_ns or 0) - (row.budget_ns or 0))
                took = format_duration(row.latency_ns)
                return f"But p{row.percentile} of {quoted(route.route)} is {took}, {by} over its own budget."
        for stage in reversed(route.stages):
            if stage.verdict == "over":
                by = format_duration((stage.latency_ns or 0) - (stage.budget_ns or 0))
                where = f"p{stage.percentile} of {stage_name(stage.stage)} in {quoted(route.route)}"
                return f"But {where} is {format_duration(stage.latency_ns)}, {by} over its own cap."
    return None


def _calm(review: Review, row: PercentileRow) -> str:
    """Nothing is over: say so, or what may be, or (without a budget) where the tail comes from."""
    if row.verdict != "within":
        made_of = review.made_of(row.percentile)
        culprit = made_of.culprit
        if made_of.band_latency_ns is None:
            return _overall(review)
        if culprit is None:
            return _largest(made_of)
        more = f"{format_duration(culprit.overrun_ns)} {_basis(culprit)}"
        return _capital(f"{stage_name(culprit.stage)} takes {more}{_because(culprit)}.")
    risky = [stage for stage in review.stages if stage.verdict == "at_risk"]
    if risky:
        stage = max(risky, key=lambda found: (found.latency_ns or 0) / (found.budget_ns or 1))
        between = f"between {format_duration(stage.ci_low_ns)} and {format_duration(stage.ci_high_ns)}"
        cap = format_duration(stage.budget_ns)
        return _capital(
            f"{stage_name(stage.stage)} may be over its cap of {cap}: its p{stage.percentile} is {between}."
        )
    judged = [stage for stage in review.stages if stage.verdict is not None]
    if any(stage.verdict == "unknown" for stage in judged):
        return "No stage is known to be over its cap, but not every one could be judged."
    if judged:
        return "Every stage keeps to its cap."
    spare = format_duration((row.budget_ns or 0) - (row.latency_ns or 0))
    return f"There are {spare} to spare; no stage has a cap of its own."


def _too_few(review: Review) -> list[str]:
    n = review.end_to_end[0].n
    needs = min((row.needs or 0, row.percentile) for row in review.end_to_end)
    took = format_duration(review.overall.latency_ns) if review.overall else "–"
    average = "" if n == 1 else " on average"
    first = f"{count(n, 'request')} took {took}{average}: too few to tell percentiles (p{needs[1]} needs {needs[0]})."
    return [first, _overall(review)]


def _overall(review: Review) -> str:
    overall = review.overall
    if overall is None or not overall.stages:
        return "There is nothing to break down."
    stage = max(overall.stages, key=lambda found: found["mean_ns"])
    takes = format_duration(stage["mean_ns"], beside_ns=overall.latency_ns)
    return _capital(f"{stage_name(stage['stage'])} takes the largest part of it, {takes} ({stage['share']:.0%}).")


def _main_breakdown(review: Review) -> Breakdown | None:
    known = [found for found in review.breakdown if found.band_latency_ns is not None]
    return next((found for found in reversed(known) if found.percentile <= USUAL), known[-1] if known else None)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
