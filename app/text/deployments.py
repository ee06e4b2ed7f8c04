"""Deployments in words: which percentile changed with which version. What is not proven stays unsaid."""

from collections.abc import Sequence

from overbudget.analysis.common.durations import format_change, format_duration
from overbudget.analysis.deployments.deployments import Deployment
from overbudget.app.text.words import quoted


def deployment_sentences(found: Sequence[Deployment]) -> list[str]:
    """A sentence for each percentile that certainly changed with a version."""
    return [_sentence(one) for one in found if one.verdict in ("slower", "faster")]


def _sentence(one: Deployment) -> str:
    since = f"{one.start[:16].replace('T', ' ')} UTC"
    remarks = {
        "clean": "",
        "rolling": " (for a while both ran)",
        "returned": f" ({quoted(one.previous)} came back later)",
    }
    before = f"{format_duration(one.before_ns)}{remarks[one.handover]}"
    return (
        f"With version {quoted(one.version)} of {quoted(one.service_name)}, first seen {since}, p{one.percentile} is "
        f"{format_duration(one.after_ns)}; with {quoted(one.previous)} it was {before}: "
        f"{one.verdict} by {format_duration(abs(one.change_ns or 0))} "
        f"({format_change(one.ci_low_ns or 0)} to {format_change(one.ci_high_ns or 0)})."
    )
