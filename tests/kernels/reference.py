"""A second implementation of docs/reference/method.md's critical path, for checking the kernel: plain, slow, written from the text.

It decides instant by instant: for each elementary interval between two times that occur, it asks from the entry span
downwards who was being waited for. Where the method speaks of "inside span s" and only a part of s is meant, because the
rest lies beyond what its parent is given, the end of that part stands for the end of s.
"""

from dataclasses import dataclass, field


@dataclass
class Span:
    id: int
    start: int
    end: int
    children: list["Span"] = field(default_factory=list)
    parent: "Span | None" = None


@dataclass
class Item:
    """Something a span may have waited for: a child, or the rest of a descendant that outlived all between."""

    span: Span
    start: int
    end: int


def items_of(span: Span) -> list[Item]:
    """Children, and what children's descendants hand on because it runs past the end of every span up to `span`."""
    found = []
    for child in span.children:
        found.append(Item(child, child.start, child.end))
        found += [
            Item(i.span, max(i.start, child.end), i.end) for i in items_of(child) if i.end > max(child.end, i.start)
        ]
    return [item for item in found if item.end > item.start]


def path(span: Span, low: int, high: int) -> list[tuple[int, int, int]]:
    """Segments (span id, start, end) of the part [low, high] of a span, latest first."""
    items = items_of(span)
    awaited = [item for item in items if item.end <= high]
    running = [item for item in items if item.end > high]
    segments: list[tuple[int, int, int]] = []
    t = high
    while t > low:
        before = [item for item in awaited if low < item.end <= t]
        last = max(before, key=lambda item: (item.end, item.start, item.span.id), default=None)
        until = last.end if last else low
        while t > until:  # no awaited item explains (until, t)
            offered = [item for item in running if item.start < t]
            if not offered:
                segments.append((span.id, until, t))
                t = until
            else:
                taken = max(offered, key=lambda item: (min(item.end, t), item.start, item.span.id))
                begin = max(taken.start, until)
                segments += path(taken.span, begin, t)
                t = begin
        if last and t == last.end and t > low:
            begin = max(last.start, low)
            segments += path(last.span, begin, t)
            t = begin
    return segments


def critical_path(entry: Span) -> list[tuple[int, int, int]]:
    """Segments of a request in time order, touching pieces of one span joined."""
    joined: list[tuple[int, int, int]] = []
    for owner, start, end in reversed(path(entry, entry.start, entry.end)):
        if joined and joined[-1][0] == owner and joined[-1][2] == start:
            joined[-1] = (owner, joined[-1][1], end)
        else:
            joined.append((owner, start, end))
    return joined
