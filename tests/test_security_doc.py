"""Each line of the threat model names a test that there is."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_every_threat_is_held_by_a_test_that_exists() -> None:
    lines = [
        line
        for line in (ROOT / "docs" / "security.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| ")
    ]
    threats = [line for line in lines if not line.startswith(("| threat", "| ---"))]
    assert len(threats) > 25
    for line in threats:
        named = re.fullmatch(r"\|.*\|.*\| `(tests/[\w/]+\.py)(?:::(\w+))?` \|", line)
        assert named, line
        text = (ROOT / named[1]).read_text(encoding="utf-8")
        assert named[2] is None or f"def {named[2]}(" in text, line
