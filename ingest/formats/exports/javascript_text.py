"""What JavaScript's console prints of objects (util.inspect of Node.js), as JSON.

Spans start with a brace in the first column of a line and end with one; everything else is other output of the program.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO

from overbudget.ingest.formats.json.depth import without_depths
from overbudget.ingest.report import FileReport

CHUNK = 1 << 20
LONGEST = 16 << 20  # characters of one object
_TOKEN = re.compile(
    r"""(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`)
      | (?P<hidden>\[(?:Object|Array|Function|Circular|Getter|Setter|class|Symbol|AsyncFunction)\b[^\]]*\](?P<named>\s*\{)?)
      | (?P<more>(?:,\s*)?\.\.\.\ \d+\ more\ \w+)
      | (?P<number>-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)n?
      | (?P<word>-?[A-Za-z_$][\w$]*)(?P<key>\s*:)?(?P<of>\s*(?:\(\d+\)\s*)?[\{\[])?
      | (?P<mark>[\{\}\[\],:+])
      | (?P<reference><ref\ \*\d+>)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]+)\}|(.))", re.DOTALL)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}
_WORDS = {"true": "true", "false": "false"}


def json_lines(stream: BinaryIO, report: FileReport) -> Callable[[int], bytes]:
    """What gives the objects in a stream of console output as lines of JSON, at each call some of them, none at the end."""
    documents = _documents(stream, report)

    def more(wanted: int) -> bytes:
        out, size = [], 0
        for document in documents:
            out.append(document)
            size += len(document)
            if size >= min(wanted, CHUNK):
                break
        return b"".join(out)

    return more


def _documents(stream: BinaryIO, report: FileReport) -> Iterator[bytes]:
    for block in _blocks(stream, report):
        text = as_json(block).encode("utf-8", "replace")
        try:
            json.loads(without_depths(text)[0])  # what is nested too deep is reported by what reads the line
        except ValueError as error:
            report.warn("unreadable_record", f"an object of console output that cannot be read: {error}")
        else:
            yield text + b"\n"


def _blocks(stream: BinaryIO, report: FileReport) -> Iterator[str]:
    """The objects that begin in the first column."""
    open_lines: list[str] = []
    size = 0
    for line in _lines(stream):
        if not open_lines:
            if line.startswith("{") and line.rstrip().endswith("}"):
                yield line
            elif line.rstrip() == "{" or line.startswith("{ "):
                open_lines, size = [line], len(line)
            elif line.strip():
                report.warn("unreadable_record", f"other output between spans: {line.strip()[:80]}")
            continue
        open_lines.append(line)
        size += len(line)
        if line.rstrip() in ("}", "},"):
            yield "\n".join(open_lines)
            open_lines = []
        elif size > LONGEST:
            report.warn("unreadable_record", "an object of console output without an end")
            open_lines = []
    if open_lines:
        report.warn("cut_off", "the last span of the console output has no end")


def _lines(stream: BinaryIO) -> Iterator[str]:
    kept = b""
    while data := stream.read(CHUNK):
        *whole, kept = (kept + data).split(b"\n")
        yield from (line.decode("utf-8", "replace") for line in whole)
    if kept:
        yield kept.decode("utf-8", "replace")


def as_json(block: str) -> str:
    """An object as util.inspect prints it, as JSON. What the console leaves out is null."""
    out: list[str] = []
    joined = False  # the last mark was a plus, which joins texts
    for match in _TOKEN.finditer(block):
        kind = match.lastgroup
        if match["text"] is not None:
            value = json.dumps(_unescaped(match["text"][1:-1]))
            if joined and out and out[-1].startswith('"'):
                out[-1] = out[-1][:-1] + value[1:]
            else:
                out.append(value)
        elif match["hidden"] is not None:
            out.append("{" if match["named"] else "null")
        elif match["number"] is not None:
            out.append(match["number"])
        elif match["word"] is not None:
            out += _word(match)
        elif kind == "mark" and match["mark"] != "+":
            if match["mark"] in "]}" and out and out[-1] == ",":
                out.pop()
            out.append(match["mark"])
        joined = match["mark"] == "+"
    return "".join(out)


def _word(match: re.Match[str]) -> list[str]:
    if match["key"]:
        after = (match["of"] or "").strip()[-1:]
        return [json.dumps(match["word"]), ":", *([after] if after else [])]
    if match["of"]:  # the class of an object
        return [match["of"].strip()[-1]]
    return [_WORDS.get(match["word"], "null")]


def _unescaped(text: str) -> str:
    def letter(match: re.Match[str]) -> str:
        digits = match[1] or match[2] or match[3]
        if digits:
            return chr(int(digits, 16)) if int(digits, 16) < 0x110000 else "\ufffd"
        return _LETTERS.get(match[4], match[4])

    return _ESCAPE.sub(letter, text) if "\\" in text else text
