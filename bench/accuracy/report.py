"""docs/accuracy.md: what was measured, by question and by mechanism, and every miss."""

from collections import Counter
from collections.abc import Iterator, Sequence

from bench.accuracy.measure import Measured
from bench.accuracy.real import RealFault
from bench.accuracy.statistics import Cover, Rate
from bench.worlds.mechanisms import WORLDS
from bench.worlds.score import QUESTIONS, Mark, Score

AIMS = {"culprit": 0.95, "attribute": 0.90, "advice": 0.90, "silence": 0.98}
ASKED = {
    "headline": "Are the told p50 and p95 within 2 % of those of all requests?",
    "culprit": "Does the review name the operation that the cause makes slow?",
    "attribute": "Is what the slow requests share first in the tail?",
    "why": "How often, how large, how slow: is the largest part the one that the cause changes?",
    "advice": "Is the remedy advised, and nothing that is none?",
    "prediction": "Are p50, p90 and p95 after a change within 5 % of a new simulation, or a bound that holds within 25 %?",
    "compare": "Is the faulty system called slower, with the faulty service first?",
    "load": "Is the stage told that grows under load?",
    "silence": "Is nothing said of the healthy system that is not so?",
}
LONGEST_NOTE = 260
MOST_MISSES = 400

INTRODUCTION = """# How often it is right

This page is made by `make accuracy`; nobody edits it. Small systems are simulated event by event, each with one mechanism
that makes it slow, drawn at random with services and operations whose names say nothing. They leave traces as real
instrumentations do. The answers are held against the truth, which is known by simulating the same requests again without
the cause, or with the change that was to be predicted.

An answer is **right**; **partly** right, where it is true but says less than could be said; **wrong**, where it does not say
what could be said; or **misleading**, where it says what is not true. Only causes that make p95 at least 1.2 times as long
are asked for. Misses are listed at the end, each with the command that shows it.
"""


def page(found: Measured) -> str:
    """The whole page."""
    size = found.size
    worlds = len({(mark.world, mark.seed) for mark in found.marks})
    parts = [
        INTRODUCTION,
        f"This is a {size.name} run: {worlds} worlds of {len(WORLDS)} mechanisms, seeds from {found.first} on.\n",
        "## By question\n",
        _table(("question", "asked", "right", "partly", "wrong", "misleading", "aim"), _by_question(found.marks)),
        *(f"- **{name}**: {text}" for name, text in ASKED.items()),
        "\n## By mechanism\n",
        "Right of asked.\n",
        _table(("mechanism", *QUESTIONS, "misleading"), _by_world(found.marks)),
        *(f"- **{name}**: {one.about}" for name, one in WORLDS.items()),
        "\n## How sure\n",
        _table(("what", "of", "share", "aim"), map(_rate, found.rates)),
        "Intervals of 95 % at p50 and p95: how many are told, how many of these cover the truth, and how wide they are as a",
        "multiple of what one who knows the truth needs. Requests are correlated with the one before (0: independent).\n",
        _table(("correlation", "requests", "percentile", "told", "cover", "width"), map(_cover, found.covers)),
        *_real(found.real),
        "\n## Misses\n",
        *_misses(found.marks),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines) + "\n"


def _by_question(marks: Sequence[Mark]) -> Iterator[Sequence[str]]:
    for question in QUESTIONS:
        counted = Counter(mark.score for mark in marks if mark.question == question)
        asked = sum(counted.values())
        shares = [f"{counted[score] / asked:.1%}" if asked else "" for score in Score]
        yield question, str(asked), *shares, f"{AIMS[question]:.0%}" if question in AIMS else ""


def _by_world(marks: Sequence[Mark]) -> Iterator[Sequence[str]]:
    for world in WORLDS:
        mine = [mark for mark in marks if mark.world == world]
        cells = []
        for question in QUESTIONS:
            scores = [mark.score for mark in mine if mark.question == question]
            cells.append(f"{scores.count(Score.RIGHT)}/{len(scores)}" if scores else "")
        yield world, *cells, str(sum(mark.score == Score.MISLEADING for mark in mine) or "")


def _rate(rate: Rate) -> Sequence[str]:
    aim = "" if rate.aim is None else f"{'≤' if rate.most else '≥'} {rate.aim:.0%}"
    return (
        rate.what,
        str(rate.of),
        f"{rate.share:.1%}" if rate.of else "",
        aim + (" (missed)" if rate.met is False else ""),
    )


def _cover(one: Cover) -> Sequence[str]:
    nothing = one.told == 0
    covers, width = ("", "") if nothing else (f"{one.covers:.1%}", f"{one.width:.2f} ×")
    return f"{one.correlation:g}", f"{one.n:,}", f"p{one.percentile}", f"{one.told:.1%}", covers, width


def _real(found: Sequence[RealFault]) -> Iterator[str]:
    if not found:
        return
    yield "\n## Real faults\n"
    first = sum(one.place == 1 for one in found)
    same = sum(one.verdict in ("same", "faster") for one in found)
    yield f"Of {len(found)} faults the faulty service is first in {first}; {same} are called as fast as before, or faster.\n"
    rows = ((one.name, one.kind, one.verdict, str(one.place), one.first) for one in found)
    yield _table(("fault", "kind", "verdict", "place of the faulty service", "first"), iter(rows))


def _misses(marks: Sequence[Mark]) -> Iterator[str]:
    """The worst first, by question."""
    order = [Score.MISLEADING, Score.WRONG, Score.PARTLY]
    missed = sorted((m for m in marks if m.score != Score.RIGHT), key=lambda m: (order.index(m.score), m.question))
    if not missed:
        yield "None."
    for mark in missed[:MOST_MISSES]:
        note = mark.note if len(mark.note) <= LONGEST_NOTE else mark.note[:LONGEST_NOTE] + " …"
        yield f"- {mark.score} {mark.question}, `{mark.command}`: {note.replace('|', '/')}"
    if len(missed) > MOST_MISSES:
        yield f"- and {len(missed) - MOST_MISSES} more."
