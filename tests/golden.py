"""Golden files: what a command or a page says, kept as small text files and compared word for word.

`make golden` (OVERBUDGET_GOLDEN=1) records them anew; read the difference before committing it.
"""

import difflib
import os
from pathlib import Path

FOLDER = Path(__file__).parent / "data" / "golden"
RERECORD = "OVERBUDGET_GOLDEN"


def check_golden(name: str, actual: str) -> None:
    """Compare `actual` with tests/data/golden/`name`, or write it there when recording."""
    path = FOLDER / name
    if os.environ.get(RERECORD) == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(actual, encoding="utf-8")
        return
    assert path.exists(), f"{path} is missing; record it with {RERECORD}=1"
    expected = path.read_text(encoding="utf-8")
    if actual != expected:
        lines = difflib.unified_diff(expected.splitlines(), actual.splitlines(), "recorded", "now", lineterm="", n=2)
        raise AssertionError(f"{name} has changed (make golden records it anew):\n" + "\n".join(lines))
