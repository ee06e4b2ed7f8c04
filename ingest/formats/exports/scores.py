"""What an answer was judged to be, as the event that OpenTelemetry has for it."""

from typing import Any

from overbudget.ingest.formats.exports.otlp import Record, attributes, text


def evaluation(name: Any, value: Any, time_ns: Any = None) -> Record | None:
    """A `gen_ai.evaluation.result` event of a score, a number or a label; None where nothing was said."""
    if value is None or isinstance(value, list | dict):
        return None
    said: Record = {"gen_ai.evaluation.name": text(name)}
    if isinstance(value, bool):
        said |= {
            "gen_ai.evaluation.score.value": float(value),
            "gen_ai.evaluation.score.label": "pass" if value else "fail",
        }
    elif isinstance(value, int | float):
        said["gen_ai.evaluation.score.value"] = float(value)
    else:
        said["gen_ai.evaluation.score.label"] = text(value)
    return {"name": "gen_ai.evaluation.result", "timeUnixNano": time_ns or 0, "attributes": attributes(said)}
