"""What the bars of a breakdown are made of: shared by the Plotly and the SVG drawing."""

from typing import NamedTuple

from overbudget.analysis.review.result import OTHER_SERVICES, Review, much_unattributed, service_times
from overbudget.analysis.review.rows import TOTAL
from overbudget.app.charts.theme import OWN_STAGE, STAGE_COLOURS, stage_colour

WAITING, WRITING = "inference: first token", "inference: writing"
HUES = tuple(colour for colour in STAGE_COLOURS.values() if colour.startswith("#"))  # of services, the largest first


class BarPart(NamedTuple):
    """A part of the bars: its name, the stage that it belongs to (TOTAL for a service), its colour, its ns in each bar."""

    name: str
    stage: str
    colour: str
    times: list[int]


def parts_of(review: Review) -> list[BarPart]:
    """The parts of the bars, one bar for each breakdown that has stages: stages, inference in its parts; where stages
    explain little, services."""
    known = [made_of for made_of in review.breakdown if made_of.stages]
    if much_unattributed(review) is not None:
        return [
            BarPart(name, TOTAL, OWN_STAGE if name == OTHER_SERVICES else HUES[place % len(HUES)], times)
            for place, (name, times) in enumerate(service_times(known))
        ]
    parts = []
    for place, stage in enumerate(known[0].stages if known else ()):
        times = [made_of.stages[place].mean_ns for made_of in known]
        recorded = [made_of.streaming for made_of in known]
        split = {stage.stage: times}
        if stage.stage == "inference" and any(recorded):
            split = {
                WAITING: [one.waiting_ns if one else 0 for one in recorded],
                WRITING: [one.writing_ns if one else 0 for one in recorded],
                stage.stage: [one.untold_ns if one else time for one, time in zip(recorded, times, strict=True)],
            }
        parts += [BarPart(name, stage.stage, stage_colour(stage.stage), of) for name, of in split.items()]
    return parts


def key_of(review: Review) -> list[tuple[str, str]]:
    """The legend below the bars: the name and colour of each stage, or of each service, that is in them."""
    parts = [part for part in parts_of(review) if any(part.times)]
    by_name = {part.stage if part.stage != TOTAL else part.name: part.colour for part in parts}
    return list(by_name.items())
