"""The line of each key in a TOML text. The parsers do not give it; messages about a value need it."""

import re
import tomllib

Path = tuple[str | int, ...]

_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*'""")
_STRING = re.compile(r'''"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?'{3,5}|"(?:[^"\\]|\\.)*"|'[^']*\'''', re.DOTALL)
_BARE = re.compile(r"[^,\]}#\r\n]*")


def key_lines(text: str) -> dict[Path, int]:
    """The line (from 1) of every table, key and list element, by its path: `("stages", "retrieval", "match", 0)`.

    `text` must be valid TOML: what tomllib accepts. A table that appears several times has the line of the first.
    """
    return _Scanner(text).lines


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text, self.at, self.lines = text, 0, {}  # type: ignore[var-annotated]
        tables: dict[Path, int] = {}
        table: Path = ()
        self._skip(_BLANK)
        while self.at < len(text):
            if text[self.at] == "[":
                double = text.startswith("[[", self.at)
                self.at += 2 if double else 1
                start = self.at
                table = self._inside(self._key(), tables)
                if double:
                    tables[table] = tables.get(table, -1) + 1
                    self._note(table, start)
                    table = (*table, tables[table])
                self._note(table, start)
                self.at = text.index("]", self.at) + (2 if double else 1)
            else:
                self._pair(table)
            self._skip(_BLANK)

    @staticmethod
    def _inside(path: Path, tables: dict[Path, int]) -> Path:
        """`path` with the index of the current element after each list of tables on the way."""
        result: Path = ()
        for depth, part in enumerate(path, 1):
            result = (*result, part)
            if depth < len(path) and result in tables:
                result = (*result, tables[result])
        return result

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def _note(self, path: Path, at: int) -> None:
        line = self.text.count("\n", 0, at) + 1
        for depth in range(1, len(path) + 1):
            self.lines.setdefault(path[:depth], line)

    def _key(self) -> Path:
        parts: list[str] = []
        while True:
            self._skip(_SPACE)
            match = _KEY.match(self.text, self.at)
            assert match is not None, "the text is not TOML"
            raw = match[0]
            parts.append(tomllib.loads(f"k = {raw}")["k"] if raw[0] in "\"'" else raw)
            self.at = match.end()
            self._skip(_SPACE)
            if not self.text.startswith(".", self.at):
                return tuple(parts)
            self.at += 1

    def _pair(self, table: Path) -> None:
        start = self.at
        path = (*table, *self._key())
        self._note(path, start)
        self.at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)

    def _value(self, path: Path) -> None:
        opening = self.text[self.at]
        if opening in "\"'":
            self._skip(_STRING)
        elif opening in "[{":
            self.at += 1
            number = 0
            self._skip(_BLANK)
            while self.text[self.at] not in "]}":
                if opening == "[":
                    self._note((*path, number), self.at)
                    self._value((*path, number))
                    number += 1
                else:
                    self._pair(path)
                self._skip(_BLANK)
                if self.text[self.at] == ",":
                    self.at += 1
                    self._skip(_BLANK)
            self.at += 1
        else:
            self._skip(_BARE)
