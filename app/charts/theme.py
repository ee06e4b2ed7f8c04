"""Colours of stages and verdicts, the same on every page (Paul Tol's bright scheme without its red)."""

STAGE_COLOURS: dict[str, str] = {
    "inference": "#4477AA",
    "retrieval": "#228833",
    "tools": "#CCBB44",
    "safety": "#66CCEE",
    "database": "#AA3377",
    "queue": "#7A7A7A",
    "context": "#9E9E9E",
    "shaping": "#B5B5B5",
    "orchestration": "#C9C9C9",
    "unattributed": "#DDDDDD",
}
OWN_STAGE = "#8C8C8C"  # stages of the user's own share a grey: more hues cannot be told apart
BUDGET = "#C8102E"


def stage_colour(stage: str) -> str:
    """The colour of a stage; the red of "over budget" is never one."""
    return STAGE_COLOURS.get(stage, OWN_STAGE)
