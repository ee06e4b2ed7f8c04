"""A rule of the budget file: which operations belong to a stage, or which spans are requests."""

import re
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class Rule:
    """One entry of a `match` list. All given conditions must hold; a rule has at least one.

    `attribute` names a span attribute; `equals` its accepted values as text (empty: any value, the attribute must be set).
    `name`, `service`, `scope` are patterns for the span's name, service and instrumentation scope in which `*` stands
    for any text and `?` for any one character, case-sensitive. `kind` is SERVER, CLIENT, ….
    A `weak` rule counts only where no classified span is above.
    """

    stage: str = ""
    attribute: str | None = None
    equals: tuple[str, ...] = ()
    name: str | None = None
    service: str | None = None
    scope: str | None = None
    kind: str | None = None
    weak: bool = False

    def __str__(self) -> str:
        parts = []
        if self.attribute is not None:
            values = " or ".join(self.equals)
            parts.append(f"{self.attribute} = {values}" if values else f"{self.attribute} is set")
        parts += [
            f"{part} {value}"
            for part in ("name", "service", "scope", "kind")
            if (value := getattr(self, part)) is not None
        ]
        return " and ".join(parts) + (" (weak)" if self.weak else "")


@lru_cache(maxsize=1024)
def pattern(glob: str) -> re.Pattern[str]:
    """The regular expression of a pattern in which only `*` and `?` are special (use `.fullmatch`)."""
    text = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in glob)
    return re.compile(text, re.DOTALL)


def as_recorded(glob: str) -> str:
    """The evidence key for "the operation's spans match `glob` by their recorded names"."""
    return f"name as recorded: {glob}"
