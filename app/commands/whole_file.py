"""A file that a command writes: whole, or not at all."""

import os
from pathlib import Path

from overbudget.store.errors import OverbudgetError


def write_whole(path: Path, text: str) -> None:
    """Errors: OverbudgetError where the file cannot be written; what was there before then stays."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part") if path.is_file() or not path.exists() else path
    try:
        try:
            part.write_text(text, encoding="utf-8")
            part.replace(path)
        finally:
            if part != path:
                part.unlink(missing_ok=True)
    except OSError as error:
        raise OverbudgetError(f"Cannot write {path}: {error.strerror or error}.") from error
