"""A comparison in words and tables."""

from collections.abc import Sequence

from overbudget.analysis.common.durations import format_change, format_duration
from overbudget.analysis.compare.compare import Comparison
from overbudget.analysis.compare.operations import OperationGrowth
from overbudget.analysis.compare.percentile_change import PercentileChange
from overbudget.analysis.compare.services import ServiceGrowth
from overbudget.analysis.health.lost_spans import IncompleteCompared
from overbudget.app.text.blocks import Block, Cell, Column, Notes, opening, table
from overbudget.app.text.marks import CHANGE_MARKS
from overbudget.app.text.words import count, quoted

MOST_ROWS = 8


def comparison_blocks(found: Comparison) -> list[Block]:
    """What changed at each percentile, which services and operations account for it, and what was compared."""
    return [
        *opening(sentences(found)),
        *_changes(found),
        *_services(found),
        *_operations(found),
        Notes(tuple(_notes(found))),
    ]


def sentences(found: Comparison) -> list[str]:
    """What changed, and which service accounts for it; more failures, or what cannot be known, come first."""
    if found.base["requests"] and found.base["only_here"] == found.base["requests"]:
        return [
            "The two sides have no route in common.",
            "Requests are compared with those of the same route; choose sides that serve the same routes.",
        ]
    said = [_lost(name, lost) for name, lost in zip(("base", "candidate"), found.lost_spans, strict=True) if lost]
    said = [sentence for sentence in said if sentence] + ([_fails(found)] if found.fails_more else [])
    said.append(_headline(found))
    said += _who(found)
    if found.far_apart:
        said.append("The base is from another day; one closer in time would show more.")
    return said


def _lost(name: str, lost: IncompleteCompared) -> str:
    """Whether the complete requests, which stages and services are measured on, are the fast ones; "" where it is not."""
    if not lost.slower:
        return ""
    medians = [format_duration(ns) for ns in (lost.incomplete_median_ns, lost.complete_median_ns)]
    return (
        f"Requests of the {name} that lost spans are slower (median {medians[0]}, the others {medians[1]}): they count in "
        "the percentiles, but times of stages, services and operations are those of the others alone."
    )


def _fails(found: Comparison) -> str:
    before, now = (_percent(side.share) for side in found.failed)
    return f"{now} of the requests fail, {before} before: a request that fails early is not a faster one."


def _percent(share: float) -> str:
    return f"{share:.1%}" if 0 < share < 0.1 else f"{share:.0%}"


def _headline(found: Comparison) -> str:
    deciding = [change for change in found.end_to_end if change.deciding]
    names = _listed([f"p{change.percentile}" for change in deciding])
    moved = [change for change in deciding if change.verdict in ("slower", "faster")]
    if found.verdict == "slower" and not any(change.verdict == "slower" for change in moved):
        return _slower_by_growth(found, names)
    if found.verdict in ("slower", "faster"):
        first = sorted(moved, key=lambda change: (change.verdict != found.verdict, -change.percentile))
        return f"The candidate is {found.verdict}: " + "; ".join(map(_moved, first)) + "."
    if found.verdict == "same":
        return f"The candidate is as fast as the base, at {names} (within {_within(deciding)})."
    return _not_proven(deciding, names)


def _moved(change: PercentileChange) -> str:
    way = "longer" if (change.change_ns or 0) > 0 else "shorter"
    return (
        f"p{change.percentile} is {format_duration(abs(change.change_ns or 0))} {way} "
        f"({format_duration(change.base_ns or 0)} before, {format_duration(change.candidate_ns or 0)} now; "
        f"the change is {_between(change)})"
    )


def _between(change: PercentileChange) -> str:
    return f"between {format_change(change.ci_low_ns or 0)} and {format_change(change.ci_high_ns or 0)}"


def _within(deciding: Sequence[PercentileChange]) -> str:
    return _listed([format_duration(change.margin_ns or 0) for change in deciding])


def _slower_by_growth(found: Comparison, names: str) -> str:
    grown = found.certain
    if grown is None:
        return f"Not proven at {names}."
    return (
        f"The candidate is slower: {quoted(grown.service_name)} takes {format_duration(grown.change_ns)} more a request, "
        f"at least {format_duration(grown.certain_ns or 0)} of it for certain; {names} alone do not prove a change."
    )


def _not_proven(deciding: Sequence[PercentileChange], names: str) -> str:
    known = [change for change in deciding if change.ci_low_ns is not None and change.ci_high_ns is not None]
    if not known:
        few = min((change.n_effective or 0 for change in deciding), default=0)
        why = f"they are worth {few:,.0f} independent ones" if few else "there are too few, or they are too alike"
        return f"Not proven: these requests cannot show whether {names} changed ({why})."
    changes = [f"the change at p{change.percentile} is {_between(change)}" for change in known]
    unknown = [f"p{change.percentile}" for change in deciding if change not in known]
    rest = f"; {_listed(unknown)} cannot be judged" if unknown else ""
    return f"Not proven, neither slower nor as fast: {_listed(changes)}{rest}."


def _who(found: Comparison) -> list[str]:
    """Which service accounts for the change: for certain, or as far as the data show."""
    if found.verdict in ("faster", "same"):
        return []
    first = found.services[0] if found.services else None
    if first is None or first.rank_ns <= 0 or first.change_ns <= 0:
        return []
    sure = f", at least {format_duration(first.certain_ns)} of it for certain" if first.certain_ns is not None else ""
    grew = "grew most" if found.verdict == "slower" else "grew most, if anything did"
    why = _because(found, first)
    return [f"{quoted(first.service_name)} {grew}: {format_duration(first.change_ns)} a request{sure}{why}."]


def _because(found: Comparison, service: ServiceGrowth) -> str:
    """The operation of the service that grew most, and why."""
    own = [
        one
        for one in found.operations
        if service.service_name in (one.service_name, one.hop_to) and 2 * one.change_ns > service.change_ns
    ]
    return f"; {operation_text(own[0])}: {own[0].why.sentence}" if own else ""


def operation_text(one: OperationGrowth) -> str:
    """An operation, or its wait for a place."""
    waiting = f" waiting for {quoted(one.hop_to)}" if one.hop_to else ""
    return f"{quoted(one.name)}{waiting}"


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + (" and " if len(words) > 1 else "") + words[-1] if words else "no percentile"


def _changes(found: Comparison) -> list[Block]:
    stages = list(dict.fromkeys(change.stage for change in found.stages))
    rows = [[Cell("whole request", "strong"), *map(_cell, found.end_to_end)]]
    rows += [[Cell(stage), *(_cell(change) for change in found.stages if change.stage == stage)] for stage in stages]
    columns = ["", *(f"p{change.percentile}" for change in found.end_to_end)]
    title = "Change at each percentile, with the interval that decides where there is one"
    return table(title, columns, rows, intervals=True)


def _cell(change: PercentileChange) -> Cell:
    if change.change_ns is None:
        return Cell("–", "soft")
    if not change.deciding:
        return Cell(format_change(change.change_ns), "soft")
    if change.ci_low_ns is None or change.ci_high_ns is None:
        return Cell(format_change(change.change_ns), interval="unknown")
    interval = f"{format_change(change.ci_low_ns)} … {format_change(change.ci_high_ns)}"
    return Cell(f"{CHANGE_MARKS.get(change.verdict, '')}{format_change(change.change_ns)}", change.verdict, interval)


def _services(found: Comparison) -> list[Block]:
    rows = []
    for one in [one for one in found.services if one.change_ns > 0][:MOST_ROWS]:
        sure = format_duration(one.certain_ns) if one.certain_ns is not None else "–"
        rows.append([one.service_name, *_means(one.base_mean_ns, one.candidate_mean_ns, one.change_ns), sure])
    title = "Services that take more time a request: own time, and the hops charged to them"
    return table(title, ["service", "before", "now", "change", "for certain"], rows)


def _operations(found: Comparison) -> list[Block]:
    rows = []
    for one in [one for one in found.operations if one.change_ns > 0][:MOST_ROWS]:
        waiting = f", waiting for {one.hop_to}" if one.hop_to else ""
        name = f"{one.service_name}: {quoted(one.name)}{waiting}{' (new)' if one.only_in else ''}"
        means = _means(one.base_mean_ns, one.candidate_mean_ns, one.change_ns)
        rows.append([name, *means, one.why.sentence])
    columns: list[str | Column] = ["operation", "before", "now", "change", Column("why", "prose")]
    return table("Operations that take more time a request", columns, rows)


def _means(base: float, candidate: float, change: float) -> Sequence[str]:
    return format_duration(round(base)), format_duration(round(candidate)), format_change(change)


def _notes(found: Comparison) -> list[str]:
    said = []
    for name, side in (("base", found.base), ("candidate", found.candidate)):
        said.append(f"{count(side['requests'], 'request')} in the {name}.")
        if side["only_here"]:
            said.append(f"{count(side['only_here'], 'request')} of a route or kind that only the {name} has, left out.")
        if side["incomplete"]:
            lost = count(side["incomplete"], "incomplete request")
            said.append(f"{lost} of them: in the percentiles, not in what stages, services and operations take.")
        if side["incomplete_left_out"]:
            lost = count(side["incomplete_left_out"], "request")
            said.append(f"{lost} of the {name} without an entry span left out.")
    return [" ".join(said)]
