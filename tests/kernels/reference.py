"""A second implementation of the critical path, for checking the kernel: plain, slow, written from the text alone.

It decides instant by instant, from the end of a span to its start, and asks of all items at once; it sorts nothing,
remembers nothing and copies the whole path of a span each time that a part of it is wanted.
See docs/reference/method.md, "Critical path".
"""

from dataclasses import dataclass, field


@dataclass
class Span:
    id: int
    start: int
    end: int
    children: list["Span"] = field(default_factory=list)
    parent: "Span | None" = None
    producer: bool = False
    background: bool = False


@dataclass
class Segment:
    """Time of a span; `running`: what ran meanwhile, where that went on after the request had ended."""

    owner: int
    start: int
    end: int
    awaited: bool
    running: int | None = None


@dataclass
class Item:
    """Something a span may have waited for: a child, or the rest of a descendant that outlived all between."""

    span: Span
    start: int
    offered: bool  # whether it may be given time that nobody waited for it

    @property
    def end(self) -> int:
        return self.span.end


def without_background(span: Span) -> Span:
    """The tree with every background span replaced by its children. The top of a request stays."""
    kept = Span(span.id, span.start, span.end, producer=span.producer)

    def adopt(child: Span) -> None:
        if child.background:
            for grandchild in child.children:
                adopt(grandchild)
        else:
            kept.children.append(without_background(child))

    for child in span.children:
        adopt(child)
    return kept


def items_of(span: Span) -> list[Item]:
    """Children, and what children hand on of their own items because it runs past the child's end."""
    found = []
    for child in span.children:
        for item in [Item(child, child.start, True), *items_of(child)]:
            handed_on = item.span is not child
            begin = max(item.start, child.end) if handed_on else item.start
            if item.end > begin:
                found.append(Item(item.span, begin, item.offered and not span.producer))
    return found


def whole_path(span: Span, request_end: int) -> list[Segment]:
    """The path of a span from its end to its start, latest first."""
    items = items_of(span)
    segments: list[Segment] = []
    t = span.end
    while t > span.start:
        ended = [item for item in items if item.end <= t and item.start < item.end]
        last = max(ended, key=lambda item: (item.end, item.start, item.span.id), default=None)
        if last and last.end == t:
            segments += part_of(last.span, last.start, t, request_end)
            t = last.start
            continue
        until = last.end if last else span.start
        running = [item for item in items if item.start < t < item.end and item.offered]
        chosen = max(
            running,
            key=lambda item: (item.end <= request_end, min(item.end, t), item.start, item.span.id),
            default=None,
        )
        begin = max(chosen.start, until) if chosen else until
        if chosen is None:
            segments.append(Segment(span.id, begin, t, True))
        elif chosen.end > request_end:
            segments.append(Segment(span.id, begin, t, False, chosen.span.id))
        else:
            inside = part_of(chosen.span, begin, t, request_end)
            segments += [Segment(s.owner, s.start, s.end, False, s.running) for s in inside]
        t = begin
    return segments


def part_of(span: Span, low: int, high: int, request_end: int) -> list[Segment]:
    """What of the path of a span lies between two times, latest first."""
    return [
        Segment(s.owner, max(s.start, low), min(s.end, high), s.awaited, s.running)
        for s in whole_path(span, request_end)
        if s.end > low and s.start < high
    ]


def critical_path(entry: Span) -> list[Segment]:
    """Segments of a request in time order, touching pieces that differ in nothing joined."""
    joined: list[Segment] = []
    for one in reversed(whole_path(without_background(entry), entry.end)):
        before = joined[-1] if joined else None
        if before and (before.owner, before.awaited, before.running) == (one.owner, one.awaited, one.running):
            before.end = one.end
        else:
            joined.append(one)
    return joined
