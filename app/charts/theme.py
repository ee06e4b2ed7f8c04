"""Colours of stages and verdicts, the same on every page (Paul Tol's bright scheme without its red).

Nothing here knows whether the background is white or black: hues have enough contrast against both, and greys are a
partly transparent middle grey, so that what is pale on white is dim on black.
"""

STAGE_COLOURS: dict[str, str] = {
    "inference": "#4477AA",
    "retrieval": "#228833",
    "tools": "#CCBB44",
    "safety": "#66CCEE",
    "database": "#AA3377",
    "queue": "#7A7A7A",
    "context": "rgba(128, 128, 128, 0.76)",
    "shaping": "rgba(128, 128, 128, 0.58)",
    "orchestration": "rgba(128, 128, 128, 0.43)",
    "user": "rgba(128, 128, 128, 0.14)",
    "unattributed": "rgba(128, 128, 128, 0.27)",
}
OWN_STAGE = "rgba(128, 128, 128, 0.9)"  # stages of the user's own share a grey: more hues cannot be kept apart
BUDGET = "#DC3545"


def stage_colour(stage: str) -> str:
    """The colour of a stage; the red of "over budget" is never one."""
    return STAGE_COLOURS.get(stage, OWN_STAGE)
