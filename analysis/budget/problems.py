"""Collecting what is wrong with a budget file, and finding the word that was meant."""

import difflib
import re
from collections.abc import Iterable, Mapping

from overbudget.analysis.budget.toml_lines import Path
from overbudget.store.errors import OverbudgetError


class Problems:
    """Every mistake found so far, with the line of its key."""

    def __init__(self, lines: Mapping[Path, int]) -> None:
        self.lines = lines
        self.found: list[tuple[int, str]] = []

    def add(self, path: Path, text: str) -> None:
        """Add a problem with the value at `path`, or with the nearest table around it that is written out."""
        while path and path not in self.lines:
            path = path[:-1]
        self.found.append((self.lines.get(path, 1), text))

    def only(self, table: Mapping[str, object], keys: tuple[str, ...], path: Path) -> None:
        """Report the keys of `table` that are not among `keys`."""
        for key in table:
            if key not in keys:
                there_is = f" There is {either(keys)}."
                self.add((*path, key), f"`{key}` means nothing in [{dotted(path)}].{question(key, keys) or there_is}")


def as_error(name: str, problems: list[tuple[int, str]]) -> OverbudgetError:
    """All `problems` (line, sentence) of the file `name` in one error, in the order of their lines."""
    problems = sorted(set(problems))
    if len(problems) == 1:
        return OverbudgetError(f"{name}, line {problems[0][0]}: {problems[0][1]}")
    said = [f"  line {line}: {text}" for line, text in problems]
    return OverbudgetError("\n".join([f"{name} has {len(problems)} problems:", *said]))


def meant(word: str, known: Iterable[str]) -> str | None:
    """The known word that is probably meant by `word`."""
    lowered = {k.lower(): k for k in known}
    close = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.7)
    return lowered[close[0]] if close else None


def question(word: str, known: Iterable[str]) -> str:
    """ " Did you mean `…`?", empty where nothing is close."""
    found = meant(word, known)
    return f" Did you mean `{found}`?" if found else ""


def either(words: Iterable[str]) -> str:
    """The words as text: `a`, `b` or `c`."""
    quoted_words = [f"`{word}`" for word in words]
    return " or ".join(filter(None, [", ".join(quoted_words[:-1]), quoted_words[-1]]))


def bare_or_quoted(key: str) -> str:
    """A key as TOML writes it."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else f'"{key}"'


def dotted(path: Path) -> str:
    """A path as a TOML header writes it."""
    return ".".join(bare_or_quoted(str(part)) for part in path)
