"""Ids written in any way, as hexadecimal digits."""

import re
from hashlib import blake2b


def id_of_text(text: str, digits: int) -> tuple[str, bool]:
    """The id of `digits` lower-case hex digits for one written in any other way, and whether its text is lost.

    Dashes of a UUID are dropped and missing zeros put in front, as tracers do that print ids as numbers. Any other text gets
    a hash (BLAKE2b) of its own: the same wherever it occurs. What is nothing but zeros is no id: "".
    """
    plain = text.strip().lower().removeprefix("0x").replace("-", "")
    if 0 < len(plain) <= digits and re.fullmatch("[0-9a-f]+", plain):
        return (plain.rjust(digits, "0") if plain.strip("0") else ""), False
    return blake2b(text.encode("utf-8", "replace"), digest_size=digits // 2).hexdigest(), True
