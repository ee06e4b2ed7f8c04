"""Draw the trace in the test: a drawing becomes spans, an answer becomes a drawing.

    request     [====================]
      retrieve  .[======]
        query   ..[####]
      chat      ........[########]

Names and indentation (two blanks a level) give the tree. A bar begins at its `[` and ends after its `]`; one character
is one millisecond, and dots only fill. Behind the bar may stand `@service`, a kind (`client`, `server`, `producer`,
`consumer`), `->peer`, `stage=NAME`, `weak`, `no end`, `orphan`. In an answer `#` marks the critical path.
"""

import re
from dataclasses import dataclass

import numpy as np

from overbudget.kernels.columns import NO_END, OperationColumns, Requests, Segments, SpanColumns, Tree
from overbudget.kernels.critical_path import critical_path
from overbudget.kernels.span_tree import build_tree, find_requests
from overbudget.stages.assign import stage_of_nodes
from overbudget.stages.names import DEFAULT_STAGES

MS = 1_000_000
KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
_LINE = re.compile(r"^(?P<indent> *)(?P<name>\S+) +(?P<lead>[. ]*)(?P<bar>\[[=#]*\]|\|)(?P<rest>.*)$")


@dataclass(frozen=True)
class Drawn:
    """What was drawn, and what the kernels make of it. Names are those of the drawing."""

    names: list[str]
    places: list[str]
    spans: SpanColumns
    operations: OperationColumns
    tree: Tree
    requests: Requests
    request_of: np.ndarray  # type: ignore[type-arg]
    segments: Segments
    origin: int

    def name(self, node: int) -> str:
        return self.names[self.tree.row[node]]

    def path(self) -> list[tuple[str, int, int]]:
        """The critical path in time order: (span, start ms, end ms); touching segments of a span are one."""
        joined: list[tuple[str, int, int]] = []
        for name, start, end, _ in self.waits():
            if joined and joined[-1][0] == name:
                joined[-1] = (name, joined[-1][1], end)
            else:
                joined.append((name, start, end))
        return joined

    def waits(self) -> list[tuple[str, int, int, str]]:
        """The critical path in time order: (span, start ms, end ms, how), and how is "awaited", "offered" or "while X"."""
        found = []
        for i, node in enumerate(self.segments.node):
            start, end = ((int(t[i]) - self.origin) // MS for t in (self.segments.start, self.segments.end))
            runner = self.segments.while_running[i]
            how = "awaited" if self.segments.awaited[i] else "offered" if runner < 0 else f"while {self.name(runner)}"
            found.append((self.name(node), start, end, how))
        return found

    def own(self) -> dict[str, int]:
        """Critical-path ms of each span that has any."""
        found: dict[str, int] = {}
        for name, start, end in self.path():
            found[name] = found.get(name, 0) + end - start
        return found

    def hops(self) -> list[tuple[str, str | None]]:
        """In time order: the span, and the place it was passing to."""
        return [
            (self.name(n), self.places[h] if h >= 0 else None)
            for n, h in zip(self.segments.node, self.segments.hop, strict=True)
        ]

    def stages(self) -> dict[str, str]:
        """The stage of each span."""
        codes = stage_of_nodes(self.tree, self.operations, len(DEFAULT_STAGES))
        return {self.name(node): [*DEFAULT_STAGES, "unattributed"][code] for node, code in enumerate(codes)}

    def times(self) -> dict[str, tuple[int, int]]:
        """Start and end of each span in ms, cleaned and on one clock."""
        return {
            self.name(node): ((self.tree.start[node] - self.origin) // MS, (self.tree.end[node] - self.origin) // MS)
            for node in range(len(self.tree.row))
        }


def draw(picture: str, skew: bool = False) -> Drawn:
    """Read a drawing and run the kernels on it. Clock adjustment is off unless asked for: a millisecond is a character."""
    lines = [line for line in picture.splitlines() if line.strip()]
    margin = min(len(line) - len(line.lstrip()) for line in lines)
    lines = [line[margin:] for line in lines]
    column = min(re.search(r"[.\[|]", line).start() for line in lines)  # type: ignore[union-attr]
    names, places, above = [], ["service"], []
    columns: dict[str, list[int]] = {
        key: [] for key in ("parent", "start", "end", "service", "kind", "peer", "stage", "weak")
    }
    for line in lines:
        match = _LINE.match(line)
        assert match, f"not a line of a drawing: {line!r}"
        depth = len(match["indent"]) // 2
        above = above[:depth]
        rest = match["rest"]
        start = match.start("bar") - column
        width = len(match["bar"]) if match["bar"] != "|" else 0
        parent = 0 if not above else above[-1]
        columns["parent"].append(999 if "orphan" in rest else parent)
        columns["start"].append(start)
        columns["end"].append(NO_END if "no end" in rest else start + width)
        service = re.search(r"@(\S+)", rest)
        inherited = columns["service"][above[-1] - 1] if above else 0
        columns["service"].append(_code(places, service[1]) if service else inherited)
        columns["kind"].append(next((code for kind, code in KINDS.items() if re.search(rf"\b{kind}\b", rest)), 1))
        peer = re.search(r"->(\S+)", rest)
        columns["peer"].append(_code(places, peer[1]) if peer else -1)
        stage = re.search(r"stage=(\w+)", rest)
        columns["stage"].append(DEFAULT_STAGES.index(stage[1]) if stage else -1)
        columns["weak"].append("weak" in rest)
        names.append(match["name"])
        above.append(len(names))
    origin = 1_000_000_000_000
    n = len(names)
    ids = np.arange(1, n + 1, dtype=np.uint64)

    def ns(values: list[int]) -> np.ndarray:  # type: ignore[type-arg]
        return np.array([v if v == NO_END else origin + v * MS for v in values], np.int64)

    spans = SpanColumns(
        np.ones(n, np.uint64), np.ones(n, np.uint64), ids, np.array(columns["parent"], np.uint64),
        ns(columns["start"]), ns(columns["end"]), np.arange(n, dtype=np.int32),
    )  # fmt: skip
    operations = OperationColumns(
        np.array(columns["service"], np.int32), np.array(columns["kind"], np.int8), np.array(columns["peer"], np.int32),
        np.array(columns["stage"], np.int16), np.array(columns["weak"], bool), np.full(n, -1, np.int16),
    )  # fmt: skip
    tree, _ = build_tree(spans, operations, skew)
    requests, request_of = find_requests(tree, operations)
    segments = critical_path(tree, requests, operations, request_of)
    return Drawn(names, places, spans, operations, tree, requests, request_of, segments, origin)


def _code(places: list[str], name: str) -> int:
    if name not in places:
        places.append(name)
    return places.index(name)


def answer(picture: str) -> str:
    """The drawing with its critical path marked: what `draw` found, in the form of the question."""
    drawn = draw(picture)
    lines = [line for line in picture.splitlines() if line.strip()]
    margin = min(len(line) - len(line.lstrip()) for line in lines)
    lines = [line[margin:] for line in lines]
    column = min(re.search(r"[.\[|]", line).start() for line in lines)  # type: ignore[union-attr]
    marked = [list(re.sub(r"[#\[\]]", "=", line)) for line in lines]
    for name, start, end in drawn.path():
        row = drawn.names.index(name)
        for at in range(column + start, column + end):
            marked[row][at] = "#"
    return "\n".join("".join(line).rstrip() for line in marked)


def check(picture: str) -> None:
    """The drawing shows its own answer: assert that it is the one found (every `#` counts, brackets included as `=`)."""
    lines = [line for line in picture.splitlines() if line.strip()]
    margin = min(len(line) - len(line.lstrip()) for line in lines)
    expected = "\n".join(line[margin:].rstrip() for line in lines)
    blank = expected.replace("#", "=")
    # an answer may mark the brackets of a bar, so the question is drawn from the shape of each bar
    question = "\n".join(_as_bar(line) for line in blank.splitlines())
    assert answer(question) == expected


def _as_bar(line: str) -> str:
    """`name  ..====  rest` as `name  ..[==]  rest`; bars that have brackets already stay."""
    if "[" in line:
        return line
    match = re.search(r"=+", line)
    if match is None:
        return line
    width = match.end() - match.start()
    bar = "|" if width == 0 else "[" + "=" * (width - 2) + "]" if width >= 2 else "[]"
    return line[: match.start()] + bar + line[match.end() :]
