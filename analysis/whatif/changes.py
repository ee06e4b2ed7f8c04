"""The changes of a what-if, and how they are written on the command line."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from overbudget.analysis.common.durations import format_duration, parse_duration
from overbudget.store.errors import OverbudgetError


@dataclass(frozen=True)
class Cap:
    """A stage or part of a stage takes at most this long per request, or an operation per call."""

    what: str
    ns: int

    def __str__(self) -> str:
        return f"{self.what} takes at most {format_duration(self.ns)}"


@dataclass(frozen=True)
class Scale:
    """A stage, a part of a stage or an operation takes `factor` times as long."""

    what: str
    factor: float

    def __str__(self) -> str:
        return f"{self.what} takes {self.factor:g} × as long" if self.factor else f"{self.what} takes no time"


@dataclass(frozen=True)
class Parallel:
    """Calls of these operations under one parent start together."""

    operations: tuple[str, ...]

    def __str__(self) -> str:
        return f"{', '.join(self.operations)} run in parallel"


@dataclass(frozen=True)
class Cache:
    """A call with the same input as one that ended at most `ttl_ns` before is answered at once."""

    operation: str
    ttl_ns: int

    def __str__(self) -> str:
        return f"repeats of {self.operation} within {format_duration(self.ttl_ns)} come from a cache"


@dataclass(frozen=True)
class DropRetries:
    """Failed calls that were retried, and the pause after them, are left out."""

    def __str__(self) -> str:
        return "failed calls that were retried are left out"


@dataclass(frozen=True)
class Drop:
    """An operation and the pause before it are left out; with `after`, its first so many calls per request are kept."""

    operation: str
    after: int | None = None

    def __str__(self) -> str:
        if self.after is not None:
            return f"{self.operation} happens at most {self.after:,} times in a request"
        return f"{self.operation} does not happen"


@dataclass(frozen=True)
class Servers:
    """This many calls of an operation may run at once, where a limit on them is known."""

    operation: str
    servers: int

    def __str__(self) -> str:
        return f"{self.servers} calls of {self.operation} may run at once"


@dataclass(frozen=True)
class Tokens:
    """Model calls read ("input") or write ("output") `factor` times as many tokens, or at most `most`."""

    side: Literal["input", "output"]
    factor: float | None = None
    most: int | None = None

    def __str__(self) -> str:
        what = "prompts" if self.side == "input" else "answers"
        if self.most is not None:
            return f"{what} have at most {self.most:,} tokens"
        return f"{what} have {self.factor:g} × as many tokens"


Change = Cap | Scale | Parallel | Cache | DropRetries | Drop | Servers | Tokens


def parse_changes(
    cap: Sequence[str] = (),
    scale: Sequence[str] = (),
    parallel: Sequence[str] = (),
    cache: Sequence[str] = (),
    drop_retries: bool = False,
    drop: Sequence[str] = (),
    servers: Sequence[str] = (),
    tokens: Sequence[str] = (),
) -> list[Change]:
    """The changes of the command line: STAGE=400ms, STAGE=0.5, "OP,OP", "OP=10m", OP, "OP=5", "input<=4000". A STAGE may be an
    operation's name.

    Errors: OverbudgetError that names the option and what is wrong.
    """
    changes: list[Change] = []
    changes += [Cap(what, _duration("--cap", text, value)) for text in cap for what, value in [_pair("--cap", text)]]
    for text in scale:
        what, value = _pair("--scale", text)
        try:
            factor = float(value)
        except ValueError:
            factor = -1.0
        if not 0 <= factor <= 1000:
            raise OverbudgetError(f"--scale {text}: `{value}` is not a factor; write it like {what}=0.5.")
        changes.append(Scale(what, factor))
    for text in parallel:
        names = split_names(text)
        if not names:
            raise OverbudgetError("--parallel names no operation.")
        changes.append(Parallel(names))
    changes += [
        Cache(what, _duration("--cache", text, value)) for text in cache for what, value in [_pair("--cache", text)]
    ]
    changes += [_drop(text) for text in drop]
    changes += [_servers(text) for text in servers]
    changes += [_tokens(text) for text in tokens]
    return [*changes, DropRetries()] if drop_retries else changes


_MOST_CALLS = re.compile(r"(.*\S)\s*>\s*(\d{1,9})\s*", re.DOTALL)


def _drop(text: str) -> Drop:
    read = _MOST_CALLS.fullmatch(text)
    if not text.strip():
        raise OverbudgetError("--drop names no operation.")
    return Drop(read[1].strip(), int(read[2])) if read else Drop(text.strip())


def _servers(text: str) -> Servers:
    what, value = _pair("--servers", text)
    if not value.isdecimal() or not 1 <= int(value) <= 1_000_000:
        raise OverbudgetError(f"--servers {text}: `{value}` is not a number of servers; write it like {what}=5.")
    return Servers(what, int(value))


_TOKENS = re.compile(r"\s*(input|output)\s*(<=|=)\s*(\d+(?:\.\d+)?)\s*")


def _tokens(text: str) -> Tokens:
    read = _TOKENS.fullmatch(text)
    if read is None or (read[2] == "<=" and "." in read[3]) or (read[2] == "=" and float(read[3]) > 1000):
        raise OverbudgetError(
            f'--tokens {text} is not understood; write it like "input=0.5", "input<=4000" or "output<=200", in quotes.'
        )
    side: Literal["input", "output"] = "input" if read[1] == "input" else "output"
    return Tokens(side, most=int(read[3])) if read[2] == "<=" else Tokens(side, factor=float(read[3]))


def join_names(names: Sequence[str]) -> str:
    """Names as `--parallel` reads them: separated by commas, in double quotes where a name contains a comma."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(names)
    return text.getvalue()


def split_names(text: str) -> tuple[str, ...]:
    """The names that `join_names` joined; blanks around them are ignored."""
    rows = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
    return tuple(name.strip() for row in rows for name in row if name.strip())


def _pair(option: str, text: str) -> tuple[str, str]:
    what, equals, value = text.rpartition("=")
    if not equals or not what.strip():
        raise OverbudgetError(f"{option} {text} has no value; write it like {text.strip('=') or 'retrieval'}=400ms.")
    return what.strip(), value.strip()


def _duration(option: str, text: str, value: str) -> int:
    try:
        return parse_duration(value)
    except OverbudgetError as error:
        raise OverbudgetError(f"{option} {text}: `{value}` {error}.") from error
