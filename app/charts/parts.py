"""What the bars of a breakdown are made of, for whoever draws them: Plotly or SVG."""

from collections.abc import Iterator

from overbudget.analysis.review.result import Breakdown

WAITING, WRITING = "inference: first token", "inference: writing"


def parts_of(known: list[Breakdown]) -> Iterator[tuple[str, str, list[int]]]:
    """What the bars are made of: a name, the stage it belongs to, and its time in each bar; inference in its parts."""
    for place, stage in enumerate(known[0].stages if known else ()):
        times = [made_of.stages[place].mean_ns for made_of in known]
        told = [made_of.streaming for made_of in known]
        if stage.stage != "inference" or not any(told):
            yield stage.stage, stage.stage, times
            continue
        yield WAITING, stage.stage, [one.waiting_ns if one else 0 for one in told]
        yield WRITING, stage.stage, [one.writing_ns if one else 0 for one in told]
        rest = [one.untold_ns if one else time for one, time in zip(told, times, strict=True)]
        yield stage.stage, stage.stage, rest
