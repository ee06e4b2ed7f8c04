"""A what-if in words and a table."""

from overbudget.analysis.budget.caps import MAIN_PERCENTILE
from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.whatif.lines import Line
from overbudget.analysis.whatif.whatif import WhatIf
from overbudget.app.text.blocks import Block, opening, table
from overbudget.app.text.words import count, quoted

MOST_LINES = 5  # that are told
PER = {
    "pod": " per pod",
    "peer": " per server that is called",
    "model": " per model",
    "caller": " per caller",
    "within one request": " within each request",
}
DOUBTS = {
    "unclear_line": "calls of {} stand in a line that is not first come, first served, and keep the waits that they had",
    "grows_with_load": "{} takes longer when many want it at once, and nothing tells by what rule; it is replayed as it was",
    "closed_loop": "requests seem to come only as others are answered, so faster answers bring more requests",
    "hedged": "of {} a second call is sent after a fixed time and the first answer counts; the call that answered first is replayed, "
    "and then another one may be first",
    "batching": "{} waits within a server that works for several calls at once, each the slower the more there are; its waits and its "
    "pace are kept as they were",
    "more_at_once": "{} is answered by a server that works for several calls at once, each the slower the more there are; that is not "
    "replayed",
    "untested": "the replay then waits for {}, which until now nothing waited for last; whether it must be waited for, no trace shows",
    "lost_spans": "slow requests lose spans, and what is not recorded stays as it was",
    "upstream": "{} would be asked at other times, and takes longer when many want it at once: what is gained before it may be "
    "lost there",
}


def what_if_blocks(found: WhatIf) -> list[Block]:
    """The latency before and after the changes, at each percentile."""
    rows = []
    for (percentile, before), (_, after) in zip(found.before, found.after, strict=True):
        if before is not None and after is not None:
            sign = "+" if after > before else "−" if after < before else ""
            change = f"{sign}{format_duration(abs(after - before))}"
            rows.append([f"p{percentile}", format_duration(before), format_duration(after), change])
    if found.within is not None:
        points = f"{100 * (found.within[1] - found.within[0]):+.1f} points".replace("-", "−")
        rows.append([within_text(found), *(f"{share:.1%}" for share in found.within), points])
    return [*opening(sentences(found)), *table("", ["", "before", "after", "change"], rows if found.requests else [])]


def within_text(found: WhatIf) -> str:
    """What the share in this row of the table is of."""
    return f"requests within the p{MAIN_PERCENTILE} cap of {format_duration(found.budget_ns)}"


def sentences(found: WhatIf) -> list[str]:
    """What is changed, what becomes of p95, how far that can be relied on, and which limits calls wait for."""
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
            [f"{found.sampled}: nothing tells who else waited, so no limit on what runs at once is replayed."]
            if found.sampled
            else []
        ),
        f"{found.requests_changed:,} of {count(found.requests, 'request')} take another time.",
        *limits,
        *[f"{line_text(line)} {_kept(line)}" for line in found.kept],
    ]


def _kept(line: Line) -> str:
    why = "" if line.first_come else "It is not first come, first served: "
    return f"{why}{'its' if why else 'Its'} waits stay as they were."


def line_text(line: Line) -> str:
    """A limit on what runs at once: of what, how many, and how long calls wait for it."""
    waited, p50, p95 = line.waits()
    limit = f"A limit of {line.servers} at once{PER.get(line.per, '')} stands before {quoted(line.name)}"
    if line.period_ns:
        limit = f"{quoted(line.name)} is let through once every {format_duration(line.period_ns)}"
    elif line.within_calls:
        limit = (
            f"No more than {line.servers} of {quoted(line.name)} work at once; the others wait within their own time"
        )
    waits = f"{format_duration(p50)} at the median and {format_duration(p95)} at p95"
    return f"{limit}: {waited:,} of {count(len(line.node), 'call')} waited, {waits}."


def doubt_texts(found: WhatIf) -> list[str]:
    """Why the answer is a bound, or why nothing can be proved."""
    if not found.doubts:
        return []
    sides = {"at_most": "At most this long", "at_least": "At least this long", None: "Nothing is provable here"}
    reasons = [f"{DOUBTS[doubt.why].format(quoted(doubt.operation))}" for doubt in found.doubts[:MOST_LINES]]
    least = dict(found.at_least or ()).get(MAIN_PERCENTILE)
    more = (
        f" Without any of those waits p{MAIN_PERCENTILE} would be {format_duration(least)}."
        if least is not None
        else ""
    )
    return [f"{sides[found.bound]}: {'; '.join(reasons)}.{more}"]
