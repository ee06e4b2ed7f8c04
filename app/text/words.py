"""The review in plain sentences: the same words on the page, on the command line and in the report."""

from collections.abc import Sequence

from overbudget.analysis.budget.caps import USUAL
from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.common.effective_size import LEAST
from overbudget.analysis.review.measure import LostSpans
from overbudget.analysis.review.parts_over import PartsOver
from overbudget.analysis.review.result import (
    TOTAL,
    AllSlow,
    Breakdown,
    CauseOperation,
    Culprit,
    Over,
    PercentileRow,
    Review,
    ServicePart,
    StageRow,
    Suspect,
    much_unattributed,
    too_many_lost,
    untold,
)
from overbudget.stages.names import MUCH_UNATTRIBUTED, UNATTRIBUTED

LONGEST_NAME = 60
FEWEST_LAST = 3  # parts over a cap at the end, to tell since when


def headline(review: Review) -> list[str]:
    """Two sentences (each may have a second clause): how the whole request does, and which stage and operation are why.

    Names from the data stand in backquotes, cut and without line breaks; they are not escaped otherwise.
    """
    if not review.end_to_end or review.end_to_end[0].n == 0:
        return _nothing(review)
    first, second = _answer(review)
    failing = next((row for row in review.end_to_end if row.failed), None)
    if failing is None and review.failed and review.failed["share"]:
        first = f"{first.removesuffix('.')}; {percent(review.failed['share'])} fail{_apart(review)}."
    return [first, second]


def _answer(review: Review) -> list[str]:
    failing = _worst([row for row in review.end_to_end if row.failed], "over")
    if failing is not None:
        return _failing(review, failing)
    worst = _worst(review.end_to_end, "over") or _worst(review.end_to_end, "at_risk")
    if worst is not None:
        return [_total(review, worst), _why(review, worst)]
    known = [row for row in review.end_to_end if row.needs is None]
    if not known:
        return _all_slow(review.all_slow) if review.all_slow else _too_few(review)
    within = [row for row in review.end_to_end if row.verdict == "within"]
    usual = next((row for row in reversed(known) if row.percentile <= USUAL), known[-1])
    row = within[-1] if within else usual
    return [_total(review, row), _stage_over(review) or _route_over(review) or _calm(review, row)]


def notes(review: Review) -> list[str]:
    """What a reader should know besides: what was left out, what could not be told, what the budget names in vain."""
    any_request = bool(review.end_to_end and review.end_to_end[0].n)
    sampled = review.dataset.sampled
    return [
        *(
            [
                f"{sampled}: percentiles and shares are of what was kept, each request counted for as many as it stands for."
            ]
            if sampled
            else []
        ),
        *(_incomplete_notes(review) if any_request else []),
        *(_certainty_notes(review) if any_request else []),
        *_breakdown_notes(review),
        *review.remarks,
        *(f"No span is classified as {stage}, so its cap cannot be judged." for stage in review.unmatched["stages"]),
        *(f"The budget names the route {quoted(route)}, which no request has." for route in review.unmatched["routes"]),
    ]


def _incomplete_notes(review: Review) -> list[str]:
    said = []
    lost = review.incomplete
    if lost is not None:
        them = f"{count(lost.requests, 'request')} with missing spans or ends"
        if lost.slower:
            said.append(
                f"Slow requests lose spans: {them} take {format_duration(lost.median_ns)} in the middle, the others "
                f"{format_duration(lost.others_median_ns)}. Percentiles count them. {_broken_down(lost)}"
            )
        else:
            verb = "counts" if lost.requests == 1 else "count"
            said.append(f"{them} {verb} in the percentiles of the whole request. {_broken_down(lost)}")
        if lost.open:
            said.append(f"{count(lost.open, 'request')} without an end took at least so long as the data says.")
    left_out = review.selected["incomplete_left_out"]
    if left_out:
        said.append(f"{count(left_out, 'request')} left out: the span that would say how long it took is missing.")
    return said


def _broken_down(lost: LostSpans) -> str:
    """Of how many of them what is left tells where their time went."""
    if lost.broken_down == lost.requests:
        return "What is left of them still tells where their time went."
    if lost.broken_down:
        return f"Of {lost.broken_down:,} what is left tells where their time went; of the others that is not known."
    return "What they are made of is not known."


def _certainty_notes(review: Review) -> list[str]:
    rows, said = review.end_to_end, []
    n, these = rows[0].n, format_duration(review.window_ns)
    alike = [row for row in rows if row.independence == "unknown"]
    if n < LEAST and any(row.reached for row in rows):
        said.append(
            f"{count(n, 'request')}: intervals hold only if they are independent, and no cap is judged (it takes {LEAST})."
        )
    elif alike:
        said.append(
            f"Requests are too alike to tell {_list([f'p{row.percentile}' for row in alike])}: in these {these} "
            "conditions change too rarely."
        )
    unknown = [row for row in rows if row.needs is not None and row.independence in ("held", "corrected")]
    if unknown and len(unknown) < len(rows):
        said.append(f"Too few requests to tell {_needs(unknown)}.")
    worth = [row for row in rows if row.independence == "corrected" and row.n_effective is not None]
    if worth:
        least = min(worth, key=lambda row: row.n_effective or 0)
        said.append(
            f"Requests that arrive together are alike: at p{least.percentile} the {n:,} tell as much as "
            f"{round(least.n_effective or 0):,} independent ones."
        )
    if any(row.needs is None for row in rows):
        said.append(f"Intervals (95%) speak of these {these}, not of other times.")
    return said


def _breakdown_notes(review: Review) -> list[str]:
    said = []
    much = much_unattributed(review)
    if much is not None:
        said.append(
            f"{much:.0%} of the time passes in no classified span, so look at services and operations; rules in the "
            "budget (`match`) would name stages."
        )
    for made_of in review.breakdown:
        if made_of.extreme is not None and made_of.band_latency_ns is not None:
            said.append(
                f"One request of {format_duration(made_of.extreme.latency_ns)} makes "
                f"{made_of.extreme.share:.0%} of the spread around p{made_of.percentile}: the mean of the "
                f"{made_of.band_requests} requests there, {format_duration(made_of.band_latency_ns)}, is not the percentile."
            )
    missing = [one for one in review.breakdown if one.band_incomplete * 10 >= one.band_requests + one.band_incomplete]
    missing = [one for one in missing if one.band_incomplete]
    if missing:
        most = max(missing, key=lambda made_of: made_of.band_incomplete)
        said.append(
            f"Around p{most.percentile} {count(most.band_incomplete, 'request')} with missing spans cannot be broken down."
        )
    return said


def check_sentences(review: Review, broken: list[Over]) -> list[str]:
    """The outcome of a check: what could not be told first, then every broken cap, or that none is."""
    unsure = untold(review)
    judged = [row for row in _capped(review) if row.verdict is not None]
    if not judged:
        return ["The budget has no caps, so there is nothing to check."]
    said = []
    if unsure:
        said.append(f"NOT TOLD: {_unsure(unsure, len(judged))} This is no pass.")
        if review.all_slow is not None:
            said += _all_slow(review.all_slow)
        elif review.parts_over is not None and review.parts_over.over:
            said.append(_lately(review.parts_over))
    risky = [row for row in _capped(review) if row.verdict == "at_risk"]
    said += [_risky(row, review) for row in risky]
    said += [_broken(entry, review) for entry in broken]
    if not broken:
        said.append("No cap is known to be broken." if unsure or risky else "Every cap is kept.")
    return said


def _risky(row: PercentileRow, review: Review) -> str:
    """A cap that may be broken."""
    what = f"p{row.percentile} of {stage_name(row.stage) if isinstance(row, StageRow) else 'the whole request'}"
    cap = format_duration(row.budget_ns)
    if row.failed and review.failed:
        return (
            f"NOT CERTAIN: {percent(review.failed['share'])} of the requests fail, so {what} may keep no cap of {cap}."
        )
    between = f"between {format_duration(row.ci_low_ns)} and {format_duration(row.ci_high_ns)}"
    return f"NOT CERTAIN: {what} is {format_duration(row.latency_ns)}, over its cap of {cap}, but may be {between}."


def _capped(review: Review) -> list[PercentileRow]:
    own = [row for route in review.routes for row in (*route.end_to_end, *route.stages)]
    return [*review.end_to_end, *review.stages, *own]


def _unsure(unsure: list[PercentileRow], judged: int) -> str:
    """How many caps, and why the first could not be judged."""
    row = unsure[0]
    what = f"p{row.percentile} of {stage_name(row.stage) if isinstance(row, StageRow) else 'the whole request'}"
    if row.independence == "unknown":
        why = f"{count(row.n, 'request')} that are too alike"
    elif row.needs is not None:
        why = f"{count(row.n, 'request')}, it takes {row.needs:,}"
    else:
        why = "no span says how long it takes"
    return f"{len(unsure)} of {count(judged, 'cap')} could not be judged ({what}: {why})."


def _all_slow(found: AllSlow) -> list[str]:
    """Every request exceeds the cap, although they may be too few for a verdict."""
    cap, took = format_duration(found.budget_ns), format_duration(found.latency_ns)
    each = "The one request takes" if found.requests == 1 else f"All {found.requests:,} requests take"
    average = "" if found.requests == 1 else " on average"
    first = f"{each} longer than the p{found.percentile} cap of {cap}: {took}{average}."
    if found.culprit is not None:
        return [first, _capital(f"{_largest_part(found.culprit, found.latency_ns)}.")]
    return [first, _any_of(found.any_of, found.latency_ns - found.budget_ns)]


def _largest_part(culprit: Culprit, latency_ns: int) -> str:
    operation = culprit.operation
    of = format_duration(latency_ns)
    if operation is None:
        return f"{stage_name(culprit.stage)} is the largest part of the {of}"
    takes = format_duration(operation.mean_ns, beside_ns=latency_ns)
    inside = "" if culprit.stage == UNATTRIBUTED else f"in {stage_name(culprit.stage)}, "
    return f"{inside}{_who(operation)} is the largest part, {takes} of {of}{_only_ran(operation)}"


def _who(operation: CauseOperation) -> str:
    waiting = f" waiting for {quoted(operation.hop_to)}" if operation.hop_to else ""
    return f"{quoted(operation.name)} in {quoted(operation.service_name)}{waiting}"


def _any_of(suspects: tuple[Suspect, ...], over_ns: float) -> str:
    named = [
        f"{_who(one.operation) if one.operation else stage_name(one.stage)} ({format_duration(one.mean_ns)})"
        for one in suspects
    ]
    if len(named) > 1:
        return f"Any of {_list(named)} alone is as long as the {format_duration(over_ns)} over; nothing shows which changed."
    if named:
        return f"No part makes half of it; the largest is {named[0]}."
    return "There is nothing to break down."


def _failing(review: Review, row: PercentileRow) -> list[str]:
    failed = review.failed or {}
    between = (
        f" (95%: {percent(failed['ci_low'])} – {percent(failed['ci_high'])})"
        if failed.get("ci_low") is not None
        else ""
    )
    first = f"{percent(failed['share'])} of {count(row.n, 'request')} fail{between}, so p{row.percentile} keeps no cap."
    made_of = review.made_of(row.percentile)
    if (made_of.culprit is not None and made_of.culprit.basis == "largest") or made_of.any_of:
        is_ = (
            f"p{row.percentile} is {format_duration(row.latency_ns)} against a cap of {format_duration(row.budget_ns)}"
        )
        return [first, f"{is_}. {_why(review, row)}"]
    slow = _worst([other for other in review.end_to_end if not other.failed], "over")
    if slow is not None:
        return [first, f"And {_total(review, slow)}"]
    latency, cap = format_duration(row.latency_ns), format_duration(row.budget_ns)
    return [
        first,
        f"How long they all take, p{row.percentile} {latency} against {cap}, says nothing of a failed request.",
    ]


def _apart(review: Review) -> str:
    return " and are left out" if review.failures_apart else ""


def percent(share: float) -> str:
    """`60%`, `3.2%`, `0.04%`: two figures where it is small."""
    return f"{share:.0%}" if share >= 0.1 or share == 0 else f"{share * 100:.2g}%"


def _list(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _broken(entry: Over, review: Review) -> str:
    what = "the whole request" if entry.stage == TOTAL else stage_name(entry.stage)
    where = f" in {quoted(entry.route)}" if entry.route is not None else ""
    if entry.failed:
        fail = (
            f"{percent(review.failed['share'])} of the requests fail"
            if review.failed and not entry.route
            else "too many fail"
        )
        return f"p{entry.percentile} of {what}{where} keeps no cap of {format_duration(entry.budget_ns)}: {fail}."
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


def _worst(rows: Sequence[PercentileRow], verdict: str) -> PercentileRow | None:
    """The highest percentile with that verdict, one with a full interval first."""
    rows = [row for row in rows if row.verdict == verdict]
    return next((row for row in reversed(rows) if row.needs is None), rows[-1] if rows else None)


def _total(review: Review, row: PercentileRow) -> str:
    latency = row.latency_ns or 0
    cap = row.budget_ns
    name = f"p{row.percentile}"
    if (
        row.verdict == "over"
        and row.needs is not None
        and row.ci_low_ns is not None
        and cap is not None
        and not row.failed
    ):
        least = f"{format_duration(row.ci_low_ns - cap)} or more over its cap of {format_duration(cap)}"
        return f"{name} of {count(row.n, 'request')} is at least {format_duration(row.ci_low_ns)}, {least}."
    if row.verdict == "over" and cap is not None:
        return f"{name} is {format_duration(latency)}, {format_duration(latency - cap)} over its cap of {format_duration(cap)}."
    if row.verdict == "at_risk" and cap is not None:
        between = f"between {format_duration(row.ci_low_ns)} and {format_duration(row.ci_high_ns)}"
        return (
            f"{name} is {format_duration(latency)}, {format_duration(latency - cap)} over its cap of {format_duration(cap)}, "
            f"but {count(row.n, 'request')} only tell that it is {between}."
        )
    if row.verdict == "within":
        untold = [
            other for other in review.end_to_end if other.verdict == "unknown" and other.percentile > row.percentile
        ]
        alike = [other for other in untold if other.independence == "unknown"]
        few = [other for other in untold if other.independence != "unknown"]
        but = f"; too few requests to tell {_needs(few)}" if few else ""
        but += f"; they are too alike to tell {_list([f'p{other.percentile}' for other in alike])}" if alike else ""
        return f"{name} is {format_duration(latency)}, within its cap of {format_duration(cap)}{but}."
    if review.budget is None:
        return f"{name} is {format_duration(latency)}; no budget is set."
    if cap is not None:
        return (
            f"{name} is {format_duration(latency)} against a cap of {format_duration(cap)}, which could not be judged."
        )
    return f"{name} is {format_duration(latency)}; the budget has no cap for the whole request."


def _why(review: Review, row: PercentileRow) -> str:
    """The sentence about the stage behind the total at `row`."""
    made_of = review.made_of(row.percentile)
    if too_many_lost(made_of.band_requests, made_of.band_incomplete):
        return _cannot_be_told(made_of)
    if made_of.band_latency_ns is None:
        return f"Too few requests are that slow to say which stage is why ({made_of.band_requests}; it takes 5)."
    culprit = made_of.culprit
    if culprit is None and made_of.any_of:
        return f"Everything is slow, typical requests too. {_any_of(made_of.any_of, made_of.band_latency_ns - (row.budget_ns or 0))}"
    if culprit is None:
        return _largest(made_of)
    if culprit.basis == "largest":
        return f"Everything is slow, typical requests too: {_largest_part(culprit, made_of.band_latency_ns)}."
    if (said := _unexplained(culprit, made_of)) is not None:
        return _capital(said)
    mean = next(stage.mean_ns for stage in made_of.stages if stage.stage == culprit.stage)
    takes = format_duration(mean, beside_ns=made_of.band_latency_ns)
    over = f"{format_duration(culprit.overrun_ns)} {_basis(culprit, made_of)}"
    text = f"{stage_name(culprit.stage)} takes {takes} of it, {over}{_because(culprit)}."
    if culprit.basis == "typical" and any(stage.budget_ns is not None for stage in made_of.stages):
        return f"No stage is over its cap; {text}"
    return _capital(text)


def _cannot_be_told(made_of: Breakdown) -> str:
    of = f"{made_of.band_incomplete:,} of the {count(made_of.band_requests + made_of.band_incomplete, 'request')}"
    return f"Which stage is why cannot be told: {of} around p{made_of.percentile} lost spans."


def _unexplained(culprit: Culprit, made_of: Breakdown) -> str | None:
    """The operation itself, where no stage explains the time and its growth does."""
    operation = culprit.operation
    if culprit.stage != UNATTRIBUTED or culprit.basis != "typical" or operation is None or not operation.tail:
        return None
    takes = format_duration(operation.mean_ns, beside_ns=made_of.band_latency_ns)
    return (
        f"{_who(operation)} takes {takes} of it, {format_duration(operation.excess_ns)} more than in typical requests"
        f"{_only_ran(operation)}."
    )


def _largest(made_of: Breakdown) -> str:
    if not made_of.stages:
        return "They take no time at all."
    stage = max(made_of.stages, key=lambda found: found.mean_ns)
    if stage.stage == UNATTRIBUTED and stage.share > MUCH_UNATTRIBUTED and made_of.services:
        return _largest_service(made_of.services[0], made_of.band_latency_ns)
    takes = format_duration(stage.mean_ns, beside_ns=made_of.band_latency_ns)
    return _capital(f"{stage_name(stage.stage)} takes the largest part of it, {takes} ({stage.share:.0%}).")


def _largest_service(part: ServicePart, latency_ns: int | None) -> str:
    """Where no stage explains most of the time: the service that takes most of it."""
    takes = format_duration(part.mean_ns, beside_ns=latency_ns)
    return f"No stage explains most of it; of the services {quoted(part.service_name)} takes most, {takes} ({part.share:.0%})."


def _basis(culprit: Culprit, made_of: Breakdown) -> str:
    if culprit.basis != "cap":
        return "more than in typical requests"
    cap = next(stage.budget_ns for stage in made_of.stages if stage.stage == culprit.stage)
    return f"over its cap of {format_duration(cap)}"


def _because(culprit: Culprit) -> str:
    if culprit.operation is None:
        return ""
    return f"{_reason(culprit.operation)}{_only_ran(culprit.operation)}"


def _only_ran(operation: CauseOperation) -> str:
    """What must be said where most of a cause's time was offered to it, not awaited."""
    if operation.awaited_share >= 0.5:
        return ""
    return "; it ran then, and the trace does not show that the request waited for it"


def _reason(operation: CauseOperation) -> str:
    name = quoted(operation.name)
    if not operation.tail:
        waiting = f", waiting for {quoted(operation.hop_to)}" if operation.hop_to else ""
        return f"; the largest part of it is {name}{waiting}, in typical requests too"
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
    by = format_duration((row.latency_ns or 0) - (row.budget_ns or 0))
    over = f"{by} over its cap of {format_duration(row.budget_ns)}"
    culprit = review.made_of(row.percentile).culprit
    why = _because(culprit) if culprit is not None and culprit.stage == row.stage else ""
    return f"But p{row.percentile} of {stage_name(row.stage)} is {format_duration(row.latency_ns)}, {over}{why}."


def _route_over(review: Review) -> str | None:
    for route in review.routes:
        for row in reversed(route.end_to_end):
            if row.verdict == "over":
                by = format_duration((row.latency_ns or 0) - (row.budget_ns or 0))
                took = format_duration(row.latency_ns)
                return f"But p{row.percentile} of {quoted(route.route)} is {took}, {by} over its own cap of {format_duration(row.budget_ns)}."
        for stage in reversed(route.stages):
            if stage.verdict == "over":
                by = format_duration((stage.latency_ns or 0) - (stage.budget_ns or 0))
                where = f"p{stage.percentile} of {stage_name(stage.stage)} in {quoted(route.route)}"
                return f"But {where} is {format_duration(stage.latency_ns)}, {by} over its own cap of {format_duration(stage.budget_ns)}."
    return None


def _calm(review: Review, row: PercentileRow) -> str:
    """Nothing is over: say so, or what may be, or (without a budget) where the tail comes from."""
    if row.verdict != "within":
        made_of = review.made_of(row.percentile)
        culprit = made_of.culprit
        if too_many_lost(made_of.band_requests, made_of.band_incomplete):
            return _cannot_be_told(made_of)
        if made_of.band_latency_ns is None:
            return _overall(review)
        if culprit is None and made_of.natural_spread:
            return (
                f"No part grows more than the others towards slow requests: their natural spread. {_largest(made_of)}"
            )
        if culprit is None:
            return _largest(made_of)
        if (said := _unexplained(culprit, made_of)) is not None:
            return _capital(said)
        more = f"{format_duration(culprit.overrun_ns)} {_basis(culprit, made_of)}"
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
    """No percentile has an interval: too few requests, or too alike."""
    n = review.end_to_end[0].n
    shown = [row for row in review.end_to_end if row.reached]
    if not shown:
        needs = min((row.needs or 0, row.percentile) for row in review.end_to_end)
        took = format_duration(review.overall.latency_ns if review.overall else review.end_to_end[0].latency_ns)
        average = "" if n == 1 else " on average"
        first = (
            f"{count(n, 'request')} took {took}{average}: too few to tell percentiles (p{needs[1]} needs {needs[0]})."
        )
        return [first, _overall(review)]
    row = next((one for one in reversed(shown) if one.percentile <= USUAL), shown[-1])
    is_ = f"p{row.percentile} of these {n:,} requests is {format_duration(row.latency_ns)}"
    if n < LEAST:
        return [f"{is_}; fewer than {LEAST} tell no more than that.", _overall(review)]
    if review.parts_over is not None and review.parts_over.over:
        return [f"{is_}. {_lately(review.parts_over)}", _why(review, row)]
    window = format_duration(review.window_ns)
    return [
        f"{is_}; they are too alike to tell more: in these {window} conditions change too rarely.",
        _overall(review),
    ]


def _lately(found: PartsOver) -> str:
    """In how much of the time a percentile that cannot be judged was over its cap, and since when."""
    what = f"p{found.percentile} is over its cap of {format_duration(found.budget_ns)}"
    if found.over == found.parts:
        return f"In each of {found.parts} equal parts of them {what}."
    if found.last >= FEWEST_LAST and found.since is not None:
        begins = found.since[:19].replace("T", " ")
        return f"In each of the last {found.last} of {found.parts} equal parts of them (from {begins} UTC on) {what}."
    return f"In {found.over} of {found.parts} equal parts of them {what}."


def _overall(review: Review) -> str:
    overall = review.overall
    if overall is None or not overall.stages:
        return (
            "What they are made of is not known: spans are missing."
            if review.incomplete
            else "There is nothing to break down."
        )
    stage = max(overall.stages, key=lambda found: found["mean_ns"])
    if stage["stage"] == UNATTRIBUTED and stage["share"] > MUCH_UNATTRIBUTED and overall.services:
        return _largest_service(overall.services[0], overall.latency_ns)
    takes = format_duration(stage["mean_ns"], beside_ns=overall.latency_ns)
    return _capital(f"{stage_name(stage['stage'])} takes the largest part of it, {takes} ({stage['share']:.0%}).")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
