"""The budget: caps for whole requests and for stages, per percentile and route, and the rules a team adds.

The file's form is in CONTRACT.md; how caps are judged is in METHOD.md, "Budgets and verdicts".
"""

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from analysis.rules import Rule
from store.errors import OverbudgetError

Caps = Mapping[int, int]  # percentile → ns
LARGEST_FILE = 1_000_000  # bytes; a budget is a page of text


@dataclass(frozen=True)
class StageBudget:
    """Caps of one stage, and the rules that say which operations belong to it."""

    caps: Caps = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True)
class RouteBudget:
    """What one route has of its own. What it does not give, it takes from the general budget.

    Caps replace as a whole: a route with any cap for the whole request has only those, and likewise per stage.
    """

    caps: Caps = field(default_factory=dict)
    stages: Mapping[str, Caps] = field(default_factory=dict)


@dataclass(frozen=True)
class Good:
    """What counts as a good answer: the score `name` (None: whichever is recorded) within the limits."""

    name: str | None = None
    at_least: float | None = None
    at_most: float | None = None


@dataclass(frozen=True)
class Budget:
    """A budget as read. `Budget()` is no budget: nothing is capped and the default rules hold.

    `as_read` is the file as a dict, `name` what messages call it.
    """

    caps: Caps = field(default_factory=dict)
    stages: Mapping[str, StageBudget] = field(default_factory=dict)
    routes: Mapping[str, RouteBudget] = field(default_factory=dict)
    request_match: tuple[Rule, ...] = ()
    good: Good | None = None
    as_read: Mapping[str, Any] = field(default_factory=dict)
    name: str = "budget.toml"

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules of all stages in the order of the file; where several match an operation the first decides."""
        return tuple(rule for stage in self.stages.values() for rule in stage.rules)

    @property
    def reading(self) -> tuple[tuple[Rule, ...], tuple[Rule, ...], Good | None]:
        """All of the budget that changes which times are measured (caps do not). Hashable: a key for caches."""
        return self.rules, self.request_match, self.good

    def has_caps(self) -> bool:
        """Whether anything is capped for requests of any route."""
        return bool(self.caps) or any(stage.caps for stage in self.stages.values())

    def for_route(self, route: str) -> "Budget":
        """The budget that holds for requests of `route` alone."""
        own = self.routes.get(route)
        if own is None:
            return replace(self, routes={})
        stages = dict(self.stages)
        for name, caps in own.stages.items():
            stages[name] = replace(stages.get(name, StageBudget()), caps=caps)
        return replace(self, caps=own.caps or self.caps, stages=stages, routes={})

    def stage_caps(self, stage: str) -> Caps:
        """The caps of `stage`, empty where it has none."""
        return self.stages[stage].caps if stage in self.stages else {}


def cap_at(caps: Caps, percentile: int) -> tuple[int | None, bool]:
    """The cap in ns that holds at `percentile`, and whether it is borrowed.

    It is the one given for the percentile; else the one given for the next higher percentile, because who promises
    400 ms at p95 promises it at p50; above the highest given percentile that highest cap is borrowed, which serves
    blame and never a verdict (METHOD.md). (None, False) without any cap.
    """
    if not caps:
        return None, False
    at_or_above = [p for p in caps if p >= percentile]
    if at_or_above:
        return caps[min(at_or_above)], False
    return caps[max(caps)], True


def request_cap(caps: Caps) -> int | None:
    """The latency in ns up to which a single request counts as within budget: the cap of the highest percentile."""
    return caps[max(caps)] if caps else None


def parse_budget(text: str, name: str = "budget.toml") -> Budget:
    """The budget that `text` (TOML) says.

    Errors: OverbudgetError with every problem there is, each a sentence with its line and what was meant.
    """
    from analysis.budget_reader import read_budget

    return read_budget(text, name)


def load_budget(path: str | os.PathLike[str]) -> Budget:
    """The budget in the file `path`. Errors: as parse_budget; also where the file cannot be read."""
    return parse_budget(_read(Path(path)), str(path))


def edit_budget(text: str, changes: Mapping[tuple[str, ...], int | None]) -> str:
    """`text` with caps changed and everything else, comments included, as it was.

    `changes` maps the path of a cap to its new value in ns, or to None to remove it: `("budget", "p95")`,
    `("stages", "retrieval", "p95")`, `("routes", "POST /chat", "p95")`,
    `("routes", "POST /chat", "stages", "retrieval", "p95")`. The result is not checked: parse_budget does.
    """
    from analysis.budget_editor import edited

    return edited(text, changes)


def save_budget(path: str | os.PathLike[str], changes: Mapping[tuple[str, ...], int | None]) -> Budget:
    """Change caps in the budget file `path` (made where there is none) as edit_budget does; the budget it then holds.

    Errors: OverbudgetError where the changed budget would not hold together; the file then stays as it was.
    """
    path = Path(path)
    text = edit_budget(_read(path) if path.exists() else "", changes)
    budget = parse_budget(text, str(path))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            if path.exists():
                os.chmod(part, path.stat().st_mode & 0o7777)
            else:
                os.chmod(part, 0o644)
            os.replace(part, path)
        except OSError:
            with suppress(OSError):
                os.unlink(part)
            raise
    except OSError as error:
        raise OverbudgetError(f"Cannot write the budget to {path}: {error.strerror or error}.") from error
    return budget


def _read(path: Path) -> str:
    try:
        if path.is_dir():
            raise OverbudgetError(f"{path} is a folder; name the budget file in it.")
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise OverbudgetError(f"Cannot read the budget {path}: {error.strerror or error}.") from error
    if len(content) > LARGEST_FILE:
        raise OverbudgetError(f"{path} is too large for a budget file (over 1 MB); is it the right file?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise OverbudgetError(f"{path} is not text in UTF-8; save it as UTF-8.") from error
