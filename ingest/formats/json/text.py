"""Kernel functions for JSON text: strings, integers, fields and elements, straight from the bytes.

Every function takes the text and a position in it and returns the position after what it has read, or ODD where the
text is not what it expects: not JSON, or JSON that canonical OTLP does not write. The text must end in SLACK zeros.
"""

import numpy as np

from overbudget.kernels.words import WORD, jit, load_word, store_word, trailing_zeros

ODD = -1

# What `next_field` and `next_element` return other than the code of a field.
START, END, ELEMENT = np.uint64(0), np.uint64(1), np.uint64(2)

_K1, _K2 = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F
_HIGH, _ONES = np.uint64(0x8080808080808080), np.uint64(0x0101010101010101)
_QUOTES, _SLASHES, _SPACES = (np.uint64(0x0101010101010101 * c) for c in b'"\\ ')
_M1, _M2, _LARGEST = np.uint64(_K1), np.uint64(_K2), np.uint64(2**63 - 1)
_DEEPEST = 60  # nesting levels that skip_value follows


def field(name: str) -> np.uint64:
    """The code of a field's name: what `next_field` returns for it. Of up to 32 bytes, more than any has, every byte counts."""
    text = name.encode()
    first, last = (int.from_bytes(part[:WORD], "little") for part in (text, text[-WORD:]))
    code = (((first * _K1 % 2**64) ^ last) * _K2 + len(text)) % 2**64
    for at in range(WORD, min(len(text) - WORD, 3 * WORD), WORD):
        code = ((code ^ int.from_bytes(text[at : at + WORD], "little")) * _K1) % 2**64
    return np.uint64(code)


@jit
def code_of(data, start, length):
    """`field` of data[start:start + length]."""
    first = load_word(data, start)
    if length < 8:
        first &= (np.uint64(1) << np.uint64(8 * length)) - np.uint64(1)
        last = first
    else:
        last = load_word(data, start + length - 8)
    code = ((first * _M1) ^ last) * _M2 + np.uint64(length)
    for at in range(8, min(length - 8, 24), 8):
        code = (code ^ load_word(data, start + at)) * _M1
    return code


@jit
def space(data, i):
    """The position after white space."""
    while data[i] == 32 or data[i] == 10 or data[i] == 13 or data[i] == 9:
        i += 1
    return i


@jit
def _stops(word):
    """The high bit of the first byte that is a quote, a backslash or a control character (later ones may be wrong)."""
    quotes, slashes = word ^ _QUOTES, word ^ _SLASHES
    found = ((quotes - _ONES) & ~quotes) | ((slashes - _ONES) & ~slashes) | ((word - _SPACES) & ~word)
    return found & _HIGH


@jit
def plain_end(data, i):
    """Where the plain characters from i on end: at a quote, a backslash or a control character."""
    while True:
        stops = _stops(load_word(data, i))
        if stops:
            return i + (trailing_zeros(stops) >> 3)
        i += 8


@jit
def copy_string(data, i, text, at):
    """Copy the string that begins at i, escapes resolved, to text[at:]: (position after its end quote, end in text)."""
    if data[i] != 34:
        return ODD, at
    i += 1
    while True:
        word = load_word(data, i)
        store_word(text, at, word)
        stops = _stops(word)
        if not stops:
            i += 8
            at += 8
            continue
        count = trailing_zeros(stops) >> 3
        i += count
        at += count
        if data[i] == 34:
            return i + 1, at
        if data[i] != 92:
            return ODD, at
        i, at = _unescape(data, i + 1, text, at)
        if i < 0:
            return ODD, at


@jit
def _four_digits(data, i):
    """The number of four hexadecimal digits; ODD where they are none."""
    value = np.int64(0)
    for j in range(i, i + 4):
        c = np.int64(data[j])
        if 48 <= c <= 57:
            value = value * 16 + c - 48
        elif 65 <= c <= 70 or 97 <= c <= 102:
            value = value * 16 + (c & 15) + 9
        else:
            return ODD
    return value


@jit
def _unescape(data, i, text, at):
    """Write the character of an escape (its backslash is at i - 1) as UTF-8."""
    c = data[i]
    if c == 34 or c == 92 or c == 47:
        text[at] = c
    elif c == 98:
        text[at] = 8
    elif c == 102:
        text[at] = 12
    elif c == 110:
        text[at] = 10
    elif c == 114:
        text[at] = 13
    elif c == 116:
        text[at] = 9
    elif c == 117:
        point = _four_digits(data, i + 1)
        i += 4
        if 0xD800 <= point < 0xDC00 and data[i + 1] == 92 and data[i + 2] == 117:
            low = _four_digits(data, i + 3)
            if low < 0xDC00 or low > 0xDFFF:
                return ODD, at
            point = 0x10000 + ((point - 0xD800) << 10) + low - 0xDC00
            i += 6
        if point < 0 or 0xD800 <= point < 0xE000:
            return ODD, at  # no digits, or half a pair of surrogates
        if point < 0x80:
            text[at] = point
            return i + 1, at + 1
        more = 1 if point < 0x800 else 2 if point < 0x10000 else 3
        text[at] = (0xFF00 >> (more + 1) & 0xFF) | (point >> (6 * more))
        for rest in range(more - 1, -1, -1):
            at += 1
            text[at] = 0x80 | (point >> (6 * rest) & 0x3F)
    else:
        return ODD, at
    return i + 1, at + 1


@jit
def integer(data, i):
    """A 64-bit integer, as a number: (value, position)."""
    negative = data[i] == 45
    if negative:
        i += 1
    start = i
    value = np.uint64(0)
    while 48 <= data[i] <= 57:
        value = value * np.uint64(10) + np.uint64(data[i] - 48)
        i += 1
    digits = i - start
    if digits == 0 or digits > 19 or (data[start] == 48 and (digits > 1 or negative)) or value > _LARGEST:
        return np.int64(0), ODD
    return -np.int64(value) if negative else np.int64(value), i


@jit
def text_or_integer(data, i):
    """A 64-bit integer, as a number or as text; empty text is 0: (value, position)."""
    if data[i] != 34:
        return integer(data, i)
    if data[i + 1] == 34:
        return np.int64(0), i + 2
    value, i = integer(data, i + 1)
    if i < 0 or data[i] != 34:
        return value, ODD
    return value, i + 1


@jit
def literal(data, i):
    """The position after true, false or null."""
    word = load_word(data, i)
    four = word & np.uint64(0xFFFFFFFF)
    if four == np.uint64(0x6C6C756E) or four == np.uint64(0x65757274):  # null, true
        return i + 4
    if word & np.uint64(0xFFFFFFFFFF) == np.uint64(0x65736C6166):  # false
        return i + 5
    return ODD


@jit
def _digits_end(data, i):
    while 48 <= data[i] <= 57:
        i += 1
    return i


@jit
def number_end(data, i):
    """The position after a number."""
    if data[i] == 45:
        i += 1
    start = i
    i = _digits_end(data, start)
    if i == start or (data[start] == 48 and i > start + 1):
        return ODD
    if data[i] == 46:
        start = i + 1
        i = _digits_end(data, start)
        if i == start:
            return ODD
    if data[i] == 69 or data[i] == 101:
        start = i + 2 if data[i + 1] == 43 or data[i + 1] == 45 else i + 1
        i = _digits_end(data, start)
        if i == start:
            return ODD
    return i


@jit
def _escape_end(data, i):
    """The position after an escape whose backslash is at i."""
    c = data[i + 1]
    if c == 117:
        point = _four_digits(data, i + 2)
        return ODD if point < 0 or 0xD800 <= point < 0xE000 else i + 6
    if c == 34 or c == 92 or c == 47 or c == 98 or c == 102 or c == 110 or c == 114 or c == 116:
        return i + 2
    return ODD


@jit
def _skip_string(data, i):
    if data[i] != 34:
        return ODD
    i = plain_end(data, i + 1)
    while data[i] == 92:
        i = _escape_end(data, i)
        if i < 0:
            return ODD
        i = plain_end(data, i)
    return i + 1 if data[i] == 34 else ODD


@jit
def _skip_name(data, i):
    """The position after the name of a field and its colon."""
    i = _skip_string(data, i)
    if i < 0:
        return ODD
    i = space(data, i)
    return space(data, i + 1) if data[i] == 58 else ODD


@jit
def skip_value(data, i):
    """The position after any value, of a field that is not read. It must still be JSON: a broken record is reported as such."""
    objects = np.uint64(0)  # one bit for each level: whether it is an object
    depth = 0
    while True:
        c = data[i]
        if c == 123 or c == 91:
            if depth == _DEEPEST:
                return ODD
            objects = objects << np.uint64(1) | np.uint64(c == 123)
            depth += 1
            i = space(data, i + 1)
            if data[i] != c + 2:
                if c == 123:
                    i = _skip_name(data, i)
                    if i < 0:
                        return ODD
                continue
        else:
            if c == 34:
                i = _skip_string(data, i)
            elif c == 45 or 48 <= c <= 57:
                i = number_end(data, i)
            else:
                i = literal(data, i)
            if i < 0:
                return ODD
        while depth > 0:  # after a value
            i = space(data, i)
            inside = objects & np.uint64(1)
            if data[i] == 44:
                i = space(data, i + 1)
                if inside:
                    i = _skip_name(data, i)
                    if i < 0:
                        return ODD
                break
            if data[i] != (125 if inside else 93):
                return ODD
            objects >>= np.uint64(1)
            depth -= 1
            i += 1
        if depth == 0:
            return i


@jit
def next_field(data, i, state):
    """The next field of an object that is not null: (position of its value, code).

    `state` is START before the object, then the code returned last. (position after the object, END) at its end,
    (ODD, END) where it is not an object or has names with escapes.
    """
    while True:
        i = space(data, i)
        c = data[i]
        if state == START:
            if c != 123:
                return ODD, END
            i = space(data, i + 1)
            if data[i] == 125:
                return i + 1, END
        elif c == 125:
            return i + 1, END
        elif c == 44:
            i = space(data, i + 1)
        else:
            return ODD, END
        end = plain_end(data, i + 1)
        if data[i] != 34 or data[end] != 34:
            return ODD, END
        state = code_of(data, i + 1, end - i - 1)
        i = space(data, end + 1)
        if data[i] != 58:
            return ODD, END
        i = space(data, i + 1)
        if data[i] != 110:
            return i, state
        i = literal(data, i)
        if i < 0:
            return ODD, END


@jit
def next_element(data, i, state):
    """The next element of an array: (its position, ELEMENT), or (position after the array, END), or (ODD, END).

    `state` is START before the array, ELEMENT after an element.
    """
    i = space(data, i)
    c = data[i]
    if state == START:
        if c != 91:
            return ODD, END
        i = space(data, i + 1)
        if data[i] == 93:
            return i + 1, END
        return i, ELEMENT
    if c == 44:
        return space(data, i + 1), ELEMENT
    if c == 93:
        return i + 1, END
    return ODD, END
