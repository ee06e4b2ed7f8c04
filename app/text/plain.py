"""Values of an answer as JSON can hold them, and as text."""

import datetime
import decimal
import json
from typing import Any


def plain(value: Any) -> Any:
    """A value as JSON can hold it: integers stay integers, times become ISO text, maps objects."""
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray):
        return value.hex()
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def plain_text(value: Any) -> str:
    """What `plain` returned, as text: nothing for None, JSON for maps, lists and booleans."""
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list | bool) else str(value)
