"""Answers as JSON text."""

import json
from typing import Any

_CONTROL = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}  # which JSON may hold, and terminals obey


def json_text(value: Any, indent: int | None = 2) -> str:
    """Readable JSON in which control characters are escapes, those beyond ASCII too. What JSON has no form for is text."""
    return json.dumps(value, indent=indent, ensure_ascii=False, default=str).translate(_CONTROL)
