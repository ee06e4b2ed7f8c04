"""What is asked of a world, and how the answers stand to the truth. Answers are read as JSON, as users' scripts do."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from bench.worlds.case import Case
from bench.worlds.score import Mark, Score, placed, predicted
from overbudget.analysis.advice.advice import Advice, advise
from overbudget.analysis.compare.compare import Side, compare
from overbudget.analysis.load.load import load
from overbudget.analysis.review.review import review
from overbudget.analysis.tail.tail import TooFew, tail
from overbudget.analysis.whatif.whatif import Workbench
from overbudget.store.errors import OverbudgetError

HEADLINE = 0.02  # by how much a told p50 or p95 may be away from that of all requests
LEAST_CHANGE = 0.10  # below it a comparison need not see a change
COMPARED = (50, 90, 95)

Answer = tuple[Score, str]


def ask(case: Case) -> Iterator[Mark]:
    """Every question that arises in this world, asked."""
    for question, answer in ASKED.items():
        try:
            for score, note in answer(case):
                yield Mark(case.name, case.seed, question, score, note)
        except OverbudgetError as error:
            yield Mark(case.name, case.seed, question, Score.WRONG, f"refused: {error}")
        except Exception as error:  # a crash is an answer, and the other questions are still to be asked
            yield Mark(case.name, case.seed, question, Score.WRONG, f"crashed: {error!r}")


def headline(case: Case) -> Iterator[Answer]:
    """Are the told percentiles those of all requests that were made?"""
    found = review(case.faulty).as_dict()
    told = {row["percentile"]: row["latency_ns"] for row in found["end_to_end"]}
    off = max(abs((told[p] or 0) / np.quantile(case.ill.latency_ns, p / 100) - 1) for p in (50, 95))
    note = f"p50 or p95 {off:.1%} away from the truth"
    said = found.get("sampled") or found.get("sampling")
    yield (Score.RIGHT if off <= HEADLINE else Score.PARTLY if said else Score.MISLEADING), note


def culprit(case: Case) -> Iterator[Answer]:
    """Is the operation named that the cause makes slow?"""
    if not case.truth.culprits or not case.felt:
        return
    found = next(one for one in review(case.faulty, case.budget).as_dict()["breakdown"] if one["percentile"] == 95)
    named = found["culprit"]
    right = " or ".join(map(_read, sorted(case.truth.culprits, key=str)))
    if named is None and found["any_of"]:
        listed = [_operation(one["operation"]) if one["operation"] else one["stage"] for one in found["any_of"]]
        told = bool((case.truth.culprits | _stages(case)) & set(listed))
        yield (Score.PARTLY if told else Score.MISLEADING), f"any of {listed}; is {right}"
        return
    operation = _operation(named["operation"]) if named and named["operation"] else None
    note = f"told {_read(operation) if operation else named and named['stage']}; is {right}"
    if operation in case.truth.culprits:
        yield Score.RIGHT, ""
    elif named is None:
        yield Score.WRONG, note
    elif operation is None:
        yield Score.PARTLY, note
    else:
        same = {one[:2] for one in case.truth.culprits} | {(one[2], "") for one in case.truth.culprits if one[2]}
        near = operation[:2] in same or (operation[2] or "") in {one[0] for one in case.truth.culprits}
        yield (Score.PARTLY if near else Score.MISLEADING), note


def attribute(case: Case) -> Iterator[Answer]:
    """Is what the slow requests share first among the attributes?"""
    if not case.truth.attributes or not case.felt:
        return
    found = [(one["key"], one["value"], one["also"]) for one in tail(case.faulty).as_dict()["attributes"]]
    wanted = case.truth.attributes
    hits = [
        any(key == k and (v is None or value == v or f"{k}={v}" in str(also)) for k, v in wanted)
        for key, value, also in found
    ]
    note = f"told {[one[:2] for one in found[:3]]}; is {sorted(wanted, key=str)}"
    yield placed(list(hits), {True}), note


def why(case: Case) -> Iterator[Answer]:
    """How often, how large, how slow: is the largest part the one that the cause changes?"""
    if not case.truth.why or case.growth(0.95) < 1.2:
        return
    rows = compare(Side(case.healthy), Side(case.faulty)).as_dict()["operations"]
    mine = [one for one in rows if _operation(one) in case.truth.culprits]
    if not mine:
        yield Score.WRONG, f"none of {sorted(case.truth.culprits, key=str)} among the operations"
        return
    grown = max(mine, key=lambda one: one["change_ns"])
    parts = {part: grown["why"][f"{part}_ns"] for part in ("how_often", "how_large", "how_slow")}
    largest = max(parts, key=lambda part: parts[part])
    note = f"told {largest} ({grown['why']['sentence']}); is {' or '.join(sorted(case.truth.why))}"
    yield (Score.RIGHT if largest in case.truth.why else Score.MISLEADING), note


def model_call(case: Case) -> Iterator[Answer]:
    """Why do model calls take longer: longer prompts, longer answers, a queue, or a slower model?"""
    if case.truth.model_call is None or not case.felt:
        return
    told = _cause_of_calls(case)
    score = Score.WRONG if told is None else Score.RIGHT if told == case.truth.model_call else Score.MISLEADING
    yield score, f"told {told}; is {case.truth.model_call}"


def _cause_of_calls(case: Case) -> str | None:
    """As a reader of the comparison and the advice would say it."""
    found = compare(Side(case.healthy), Side(case.faulty)).as_dict()
    grown = max(found["operations"], key=lambda one: one["change_ns"], default=None)
    if grown is None or grown["change_ns"] <= 0:
        return None
    parts = {part: grown["why"][f"{part}_ns"] for part in ("how_often", "how_large", "how_slow")}
    if max(parts, key=lambda part: parts[part]) == "how_large":
        sentence = grown["why"]["sentence"]
        return next((what for what in ("prompts", "answers") if what in sentence), None)
    changes = {one["stage"]: one["change_ns"] or 0 for one in found["stages"] if one["percentile"] == 95}
    if changes.get("queue", 0) > changes.get("inference", 0):
        return "queue"
    advised = [one for one in advise(case.faulty, "faulty.duckdb", case.budget) if one.kind == "queue"]
    waits = {operation["name"] for one in advised for operation in one.operations}
    return "queue" if grown["name"] in waits else "slower model"


def advice(case: Case) -> Iterator[Answer]:
    """Is the remedy advised, and nothing that is none?"""
    if not case.felt:
        return
    found = advise(case.faulty, "faulty.duckdb", case.budget)
    kinds = [str(one.kind) for one in found]
    allowed = case.truth.advice | case.truth.always | case.truth.tolerated
    wrong = [str(one.kind) for one in found if one.kind not in allowed and not _slow_at_times(case, one)]
    note = f"told {kinds}; helps {sorted(case.truth.advice)}"
    if wrong:
        named = [[operation["name"] for operation in one.operations] for one in found if one.kind in wrong]
        yield Score.MISLEADING, f"{note}; {named}"
    elif case.truth.advice & set(kinds):
        yield Score.RIGHT, ""
    elif case.truth.advice:
        yield Score.WRONG, note


def _slow_at_times(case: Case, one: Advice) -> bool:
    """Whether it tells of calls of the culprit that are slow at times and promises nothing else."""
    names = {name for _, name, _ in case.truth.culprits}
    return one.kind == "blocking" and {operation["name"] for operation in one.operations} <= names


def prediction(case: Case) -> Iterator[Answer]:
    """Does what is predicted of a change come true when the world is simulated with it?"""
    changes = case.world.all_changes()
    if not changes:
        return
    bench = Workbench(case.faulty, case.budget)
    for label, change in changes.items():
        true = [int(np.quantile(case.world.changed(label).latency_ns, p / 100)) for p in COMPARED]
        try:
            found = bench.what_if([change], case.budget).as_dict()
        except OverbudgetError as error:
            yield Score.WRONG, f"{change}: refused: {error}"
            continue
        after = {row["percentile"]: row["after_ns"] or 0 for row in found["percentiles"]}
        told = [after[p] for p in COMPARED]
        off = ", ".join(
            f"p{p} {one / max(other, 1) - 1:+.0%}" for p, one, other in zip(COMPARED, told, true, strict=True)
        )
        reasons = sorted({one["why"] for one in found.get("doubts", ())})
        note = f"{change}: {off}, bound {found['bound']} {' '.join(reasons)}, lines {len(found['queues'])}"
        yield predicted(told, true, found["bound"], bool(reasons)), note


def comparison(case: Case) -> Iterator[Answer]:
    """Is the faulty system called slower, with the faulty service first?"""
    found = compare(Side(case.healthy), Side(case.faulty)).as_dict()
    verdict = found["verdict"]
    if case.truth.fails:
        told = bool(found["failed"]["grew"]) and verdict in ("slower", "unknown")
        yield (Score.RIGHT if told else Score.MISLEADING), "" if told else f"{verdict}, failed {found['failed']}"
        return
    grown = [case.growth(p) - 1 for p in (0.5, 0.95)]
    if max(grown) < 2 * LEAST_CHANGE or not case.truth.culprits:
        return
    services = [one["service_name"] for one in found["services"]]
    wanted = case.truth.guilty
    note = f"{verdict}, p50 {grown[0]:+.0%} p95 {grown[1]:+.0%}; first {services[:3]}, is {sorted(wanted)}"
    if verdict == "slower":
        yield (placed(list(services), set(wanted)) if wanted else Score.RIGHT), note
    else:
        yield (Score.WRONG if verdict == "unknown" else Score.MISLEADING), note


def under_load(case: Case) -> Iterator[Answer]:
    """Is the stage that grows under load told?"""
    if not case.truth.grows or not case.felt:
        return
    found = load(case.faulty, case.budget).as_dict()["first_to_grow"]
    score = Score.RIGHT if found in case.truth.grows else Score.WRONG if found is None else Score.MISLEADING
    yield score, f"told {found}; is {sorted(map(str, case.truth.grows))}"


def silence(case: Case) -> Iterator[Answer]:
    """Is nothing said of the healthy system that is not so?"""
    for what, said in (
        ("review", _blamed(case)), ("tail", _shared(case)), ("compare", _moved(case)), ("advise", _advised(case)),
    ):  # fmt: skip
        yield (Score.MISLEADING if said else Score.RIGHT), f"{what}: {said}"


def _blamed(case: Case) -> str:
    """A culprit counts as said where requests keep their cap."""
    found = review(case.healthy, case.budget).as_dict()
    row = next(row for row in found["end_to_end"] if row["percentile"] == 95)
    named = next(one for one in found["breakdown"] if one["percentile"] == 95)["culprit"]
    return f"{named['stage']} is to blame" if named and row["verdict"] in ("within", "unknown") else ""


def _shared(case: Case) -> str:
    try:
        found = tail(case.healthy).as_dict()["attributes"]
    except TooFew:
        return ""
    told = [(one["key"], one["value"]) for one in found if one["key"] not in case.world.natural | NATURAL]
    return str(told) if told else ""


def _moved(case: Case) -> str:
    found = compare(Side(case.usual), Side(case.healthy)).as_dict()
    return str(found["verdict"]) if found["verdict"] in ("slower", "faster") else ""


def _advised(case: Case) -> str:
    allowed = case.truth.tolerated | case.truth.always
    found = [str(one.kind) for one in advise(case.healthy, "healthy.duckdb", case.budget) if one.kind not in allowed]
    return ", ".join(found)


def _stages(case: Case) -> set[str]:
    """The stages that the culprits are of."""
    rows = case.faulty.execute("SELECT service_name, name, stage FROM operations").fetchall()
    named = {culprit[:2] for culprit in case.truth.culprits}
    return {stage or "unattributed" for service, name, stage in rows if (service, name) in named}


def _operation(row: dict[str, Any]) -> tuple[str, str, str | None]:
    return row["service_name"], row["name"], row["hop_to"]


def _read(culprit: tuple[str, str, str | None]) -> str:
    service, name, hop = culprit
    return f"{service}: {name}" + (f" -> {hop}" if hop else "")


# Longer answers do take longer, and slow requests do what fast ones do not, faults or none.
NATURAL = frozenset(
    {"gen_ai.usage.output_tokens", "gen_ai.usage.input_tokens", "gen_ai.operation.name", "gen_ai.tool.name"}
)
ASKED: dict[str, Callable[[Case], Iterator[Answer]]] = {
    "headline": headline, "culprit": culprit, "attribute": attribute, "why": why, "model call": model_call,
    "advice": advice,
    "prediction": prediction, "compare": comparison, "load": under_load, "silence": silence,
}  # fmt: skip
