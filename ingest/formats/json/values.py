"""Single values of OTLP/JSON in any dialect, read by the rules of its mapping from protobuf."""

import base64
import math
from typing import Any

import orjson

from overbudget.ingest.report import FileReport

UINT32, INT64, UINT64 = 2**32, 2**63, 2**64
MOST_LEVELS = 50  # of nested lists and maps, as many as protobuf's decoders follow


class Unusable(Exception):
    """A span cannot be read; it is reported under `code`."""

    def __init__(self, code: str, said: str) -> None:
        super().__init__(said)
        self.code = code


def shown(value: Any) -> str:
    """A value of a document, for a message: text as it is, objects and lists only by their type."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return value if isinstance(value, str) else str(value)


def whole(value: Any, code: str, lowest: int, beyond: int) -> int:
    """An integer written as number or text, or as an integral double such as 1.5e18; null and "" mean 0."""
    if value is None or value == "":
        return 0
    try:
        if isinstance(value, bool):
            raise ValueError
        if isinstance(value, float) or (isinstance(value, str) and not value.lstrip("-").isdecimal()):
            number = float(value)
            if not number.is_integer():
                raise ValueError
            value = int(number)
        number = int(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise Unusable(code, f"{shown(value)[:40]!r} is not an integer") from error
    if not lowest <= number < beyond:
        raise Unusable(code, f"{number} is out of range")
    return number


def instant(value: Any) -> int:
    """A time in ns since the epoch, 0 where it is absent; from 2^63 on it is negative, as in the columns of the kernels.

    Errors: Unusable where it is not a 64-bit number.
    """
    number = whole(value, "bad_time", 0, UINT64)
    return number if number < INT64 else number - UINT64


def count(value: Any) -> int:
    return whole(value, "unreadable_span", 0, UINT32)


def enum(value: Any, names: dict[str, int], report: FileReport) -> int:
    """The number of an enumeration, given as number or name."""
    if isinstance(value, str) and not value.isdecimal():
        prefix = next(iter(names)).rsplit("_", 1)[0] + "_"
        name = value.upper() if value.upper().startswith(prefix) else prefix + value.upper()
        if name not in names:
            raise Unusable("unreadable_span", f"{value[:40]!r} is not one of {', '.join(names)}")
        report.warn("enum_names", f"{value} instead of {names[name]}")
        return names[name]
    return whole(value, "unreadable_span", -(2**31), 2**31)


def identifier(value: Any, size: int, report: FileReport) -> str:
    """An id of `size` bytes: hex as it is, base64 as hex, any other text as it is; "" where it is absent."""
    if value is None or value == "":
        return ""
    if not isinstance(value, str):
        raise Unusable("bad_id", f"{shown(value)[:60]!r} is not text")
    if len(value) == -(-size // 3) * 4 and value.endswith("="):
        try:
            found = base64.b64decode(value, validate=True)
        except ValueError:  # binascii.Error among them
            return value
        if len(found) == size:
            report.warn("base64_ids", f"{found.hex()} was written in base64")
            return found.hex()
    return value


def text_of(plain: Any) -> str:
    """A Python value other than None and doubles as it is stored: text; lists and maps as compact JSON."""
    if isinstance(plain, str):
        return plain
    if isinstance(plain, bool):
        return "true" if plain else "false"
    if isinstance(plain, int):
        return str(plain)
    return json_text(plain)


def json_text(plain: Any) -> str:
    """Compact JSON; doubles that JSON cannot write (NaN, Infinity) as text, as protobuf's mapping does."""

    def writable(item: Any) -> Any:
        if isinstance(item, float) and not math.isfinite(item):
            return _double(item)
        if isinstance(item, list):
            return [writable(one) for one in item]
        if isinstance(item, dict):
            return {key: writable(one) for key, one in item.items()}
        return item

    return orjson.dumps(writable(plain)).decode()


def _double(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value)


def plain_of(value: Any, levels: int = MOST_LEVELS) -> Any:
    """An AnyValue as a Python value. Errors: Unusable where it is of the wrong type, or nested deeper than `levels`."""
    if value is None:
        return None
    if levels < 0:
        raise Unusable("unreadable_span", f"lists and maps more than {MOST_LEVELS} levels deep")
    if not isinstance(value, dict):
        raise Unusable("unreadable_span", f"{shown(value)[:40]!r} is not an attribute value")
    for key, given in value.items():
        if given is None:
            continue
        if key in _NESTED:
            return _NESTED[key](given, levels - 1)
        if key in _KINDS:
            return _KINDS[key](given)
    return None


def _string(given: Any) -> str:
    if not isinstance(given, str):
        raise Unusable("unreadable_span", f"stringValue {shown(given)[:40]} is not text")
    return given


def _bool(given: Any) -> bool:
    if not isinstance(given, bool):
        raise Unusable("unreadable_span", f"boolValue {shown(given)[:40]!r} is neither true nor false")
    return given


def _int(given: Any) -> int:
    return whole(given, "unreadable_span", -INT64, INT64)


def _float(given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        raise Unusable("unreadable_span", f"doubleValue {shown(given)[:40]!r} is not a number")
    try:
        return float(given)
    except ValueError as error:
        raise Unusable("unreadable_span", f"doubleValue {given[:40]!r} is not a number") from error  # type: ignore[index]


def _bytes(given: Any) -> str:
    plain = _string(given).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64encode(base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)).decode()
    except ValueError as error:  # binascii.Error among them
        raise Unusable("unreadable_span", f"bytesValue {given[:40]!r} is not base64") from error


def _array(given: Any, levels: int) -> list[Any]:
    values = given.get("values") if isinstance(given, dict) else given
    if not isinstance(values or [], list):
        raise Unusable("unreadable_span", "arrayValue has no list of values")
    return [plain_of(one, levels) for one in values or []]


def _kvlist(given: Any, levels: int) -> dict[str, Any]:
    values = given.get("values") if isinstance(given, dict) else given
    if not isinstance(values or [], list):
        raise Unusable("unreadable_span", "kvlistValue has no list of values")
    entries = [one for one in values or [] if isinstance(one, dict)]
    return {_string(one.get("key") or ""): plain_of(one.get("value"), levels) for one in entries}


_KINDS = {
    "stringValue": _string, "string_value": _string, "boolValue": _bool, "bool_value": _bool, "intValue": _int,
    "int_value": _int, "doubleValue": _float, "double_value": _float, "bytesValue": _bytes, "bytes_value": _bytes,
}  # fmt: skip
_NESTED = {"arrayValue": _array, "array_value": _array, "kvlistValue": _kvlist, "kvlist_value": _kvlist}
