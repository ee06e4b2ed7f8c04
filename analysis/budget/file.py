"""Budget files: read, edited with their comments kept, saved."""

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from overbudget.analysis.budget.model import Budget
from overbudget.analysis.budget.parse import read_budget
from overbudget.store.errors import OverbudgetError

LARGEST_FILE = 1_000_000  # bytes; a budget is a page of text


def parse_budget(text: str, name: str = "budget.toml") -> Budget:
    """The budget written in `text` (TOML).

    Errors: OverbudgetError with every problem, each a sentence with its line and what was probably meant.
    """
    return read_budget(text, name)


def load_budget(path: str | os.PathLike[str]) -> Budget:
    """The budget in the file `path`. Errors: as parse_budget; also where the file cannot be read."""
    return parse_budget(read_text(Path(path)), str(path))


def edit_budget(text: str, changes: Mapping[tuple[str, ...], int | None]) -> str:
    """`text` with caps changed and everything else, comments included, as it was.

    `changes` maps the path of a cap to its new value in ns, or to None to remove it: `("budget", "p95")`,
    `("stages", "retrieval", "p95")`, `("stages", "inference", "call_first_token", "p95")`, `("routes", "POST /chat", "p95")`,
    `("routes", "POST /chat", "stages", "retrieval", "p95")`. The result is not checked: parse_budget does.
    """
    from overbudget.analysis.budget.edit import edited  # loads the library that writes TOML

    return edited(text, changes)


def save_budget(path: str | os.PathLike[str], changes: Mapping[tuple[str, ...], int | None]) -> Budget:
    """Change caps in the budget file `path` (created if missing) as edit_budget does; returns the new budget.

    Errors: OverbudgetError where the changed budget would not be valid; the file then stays as it was.
    """
    path = Path(path)
    text = edit_budget(read_text(path) if path.exists() else "", changes)
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


def read_text(path: Path) -> str:
    """The text of a budget file, whatever it says. Errors: OverbudgetError where it is none, or cannot be read."""
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
