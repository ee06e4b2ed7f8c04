"""A what-if in words and a table."""

from overbudget.analysis.budget.caps import MAIN_PERCENTILE
from overbudget.analysis.common.durations import format_change, format_duration
from overbudget.analysis.whatif.lines import Line
from overbudget.analysis.whatif.whatif import WhatIf
from overbudget.app.text.blocks import Block, opening, table
from overbudget.app.text.words import count, quoted

MOST_LINES = 5  # that are shown
PER = {
    "pod": " per pod",
    "peer": " per server that is called",
    "model": " per model",
    "caller": " per caller",
    "within one request": " within each request",
}
DOUBTS = {
    "unclear_line": "calls of {} wait in a queue that is not first come, first served, and keep their recorded waits",
    "grows_with_load": "{} takes longer when many calls use it at once, by no rule that shows; its recorded times are kept",
    "closed_loop": "requests seem to come only as others are answered, so faster answers bring more requests",
    "hedged": "a second call of {} is sent after a fixed time and the first answer counts; only the call that answered first is "
    "replayed, although the other might be first then",
    "batching": "{} waits in a server that works on several calls at once, more slowly the more there are; its recorded waits and "
    "pace are kept",
    "more_at_once": "{} is answered by a server that works on several calls at once, more slowly the more there are; that is not "
    "replayed",
    "untested": "the replay then waits for {}, which until now nothing waited for last; whether it must be waited for, no trace shows",
    "lost_spans": "slow requests lose spans, and what is not recorded stays as it was",
    "upstream": "{} would be called at other times, and takes longer when many calls use it at once: time saved before it may be "
    "lost there",
}


def what_if_blocks(found: WhatIf) -> list[Block]:
    """The latency before and after the changes, at each percentile."""
    rows = []
    for (percentile, before), (_, after) in zip(found.before, found.after, strict=True):
        if before is not None and after is not None:
            rows.append(
                [f"p{percentile}", format_duration(before), format_duration(after), format_change(after - before)]
            )
    if found.within is not None:
        points = f"{100 * (found.within[1] - found.within[0]):+.1f} points".replace("-", "−")
        rows.append([within_text(found), *(f"{share:.1%}" for share in found.within), points])
    return [*opening(sentences(found)), *table("", ["", "before", "after", "change"], rows if found.requests else [])]


def within_text(found: WhatIf) -> str:
    """The title of the row with the share of requests within the cap."""
    return f"requests within the p{MAIN_PERCENTILE} cap of {format_duration(found.budget_ns)}"


def sentences(found: WhatIf) -> list[str]:
    """What is changed, the effect on p95, how far that can be relied on, and which limits calls wait for."""
    if not found.requests:
        return ["There are no requests to replay."]
    what = "; ".join(found.changes) or "nothing is changed"
    before, after = (dict(side).get(MAIN_PERCENTILE) for side in (found.before, found.after))
    moved = f"p{MAIN_PERCENTILE} stays {format_duration(before or 0)}"
    if before != after:
        moved = f"p{MAIN_PERCENTILE} goes from {format_duration(before or 0)} to {format_duration(after or 0)}"
    limits = [line_text(line) for line in found.lines[:MOST_LINES]]
    return [
        f"If {what}: {moved}.",
        *doubt_texts(found),
        *(
            [f"{found.sampled}: the traces do not show which other calls waited, so no concurrency limit is replayed."]
            if found.sampled
            else []
        ),
        f"{found.requests_changed:,} of {count(found.requests, 'request')} get another latency.",
        *limits,
        *[f"{line_text(line)} {_kept(line)}" for line in found.kept],
    ]


def _kept(line: Line) -> str:
    why = "" if line.first_come else "It is not first come, first served: "
    return f"{why}{'its' if why else 'Its'} waits stay as they were."


def line_text(line: Line) -> str:
    """A concurrency limit: of which operation, how many calls at once, and how long calls wait for it."""
    waited, p50, p95 = line.waits()
    limit = f"At most {line.servers} {'call' if line.servers == 1 else 'calls'} of {quoted(line.name)} run at once{PER.get(line.per, '')}"
    if line.period_ns:
        limit = f"{quoted(line.name)} may start once every {format_duration(line.period_ns)}"
    elif line.within_calls:
        limit = (
            f"No more than {line.servers} of {quoted(line.name)} work at once; the others wait within their own time"
        )
    waits = f"{format_duration(p50)} at the median and {format_duration(p95)} at p95"
    return f"{limit}: {waited:,} of {count(len(line.node), 'call')} waited, {waits}."


def doubt_texts(found: WhatIf) -> list[str]:
    """Why the answer is only a bound, or why nothing can be proved."""
    if not found.doubts:
        return []
    sides = {"at_most": "At most this long", "at_least": "At least this long", None: "Nothing can be proved here"}
    reasons = [f"{DOUBTS[doubt.why].format(quoted(doubt.operation))}" for doubt in found.doubts[:MOST_LINES]]
    least = dict(found.at_least or ()).get(MAIN_PERCENTILE)
    more = (
        f" Without any of those waits p{MAIN_PERCENTILE} would be {format_duration(least)}."
        if least is not None
        else ""
    )
    return [f"{sides[found.bound]}: {'; '.join(reasons)}.{more}"]
