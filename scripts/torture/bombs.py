"""Bombs: a little that becomes gigabytes, packed in any way, with or without a sound beginning. Each is refused or read
within the memory that is named, and soon."""

import gzip
import io
import json
import os
import random
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from overbudget.app.commands.own_process import resident
from overbudget.ingest.files.source import zstd
from scripts.torture.documents import record

MOST_MEMORY = 1 << 30  # resident bytes of all processes of an ingest together
LONGEST_S = 120  # far above the seconds that it takes: the machine may be busy
PART = 8 << 20

# What is repeated, and what stands before it.
KINDS: dict[str, tuple[bytes, bytes]] = {
    "zeros": (b"\0", b""),
    "blank lines": (b"\n", b""),
    "spaces": (b" ", b""),
    "empty objects": (b"{}\n", b""),
    "empty objects in a list": (b"{},", b"["),
    "a long string": (b"x", b'{"resourceSpans":[{"resource":{"attributes":[{"key":"a","value":{"stringValue":"'),
    "a long key": (b"x", b'{"resourceSpans":[{"resource":{"attributes":[{"key":"'),
    "escapes": (b"\\u0041", b'{"resourceSpans":[{"schemaUrl":"'),
    "lists in lists": (b"[", b'{"resourceSpans":'),
    "objects in objects": (b'{"a":', b'{"resourceSpans":'),
    "numbers": (b"1,", b'{"resourceSpans":['),
    "a long number": (b"7", b'{"resourceSpans":['),
    "empty spans": (b"{},", b'{"resourceSpans":[{"scopeSpans":[{"spans":['),
    "empty attributes": (b'{"key":"a"},', b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"spanId":"eee19b7ec3c1b174","attributes":['),
    "empty scopes": (b'{"spans":[]},', b'{"resourceSpans":[{"scopeSpans":['),
    "keys": (b'"k":1,', b"{"),
    "records of logs": (b'{"resourceLogs":[]}\n', b""),
    "empty messages": (b"\0\0\0\0", b""),
    "empty fields": (b"\x0a\x00", b""),
    "empty spans as fields": (b"\x12\x00", b"\x0a\xff\xff\xff\xff\x1f\x12\xff\xff\xff\xff\x0f"),
}  # fmt: skip


def _frames(head: bytes, unit: bytes, size: int, pack: Callable[[bytes], bytes]) -> Iterator[bytes]:
    """Packed frames, one after the other, that become `head` and then `size` bytes of `unit`."""
    part = pack(unit * (PART // len(unit) + 1))
    if head:
        yield pack(head)
    for _ in range(size // PART):
        yield part


def _zipped(head: bytes, unit: bytes, size: int) -> bytes:
    out = io.BytesIO()
    with (
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.json", "w", force_zip64=True) as file,
    ):
        file.write(head)
        for _ in range(min(size, 512 << 20) // PART):
            file.write(unit * (PART // len(unit) + 1))
    return out.getvalue()


def _tarred(data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo("a.json.gz")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def _in_zip(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(5):
            archive.writestr(f"{number}.json.gz", data)
    return out.getvalue()


def _gzipped(data: bytes) -> bytes:
    return gzip.compress(data, 6)


def bomb(draw: random.Random) -> tuple[str, bytes]:
    """A bomb of ten gigabytes, and what it is."""
    kind = draw.choice(list(KINDS))
    unit, head = KINDS[kind]
    sound = draw.random() < 0.5
    if sound:
        head = b"".join(json.dumps(record(draw)).encode() + b"\n" for _ in range(draw.choice([1, 200]))) + head
    size = draw.choice([1 << 30, 10 << 30])
    how = draw.choice(["gzip", "gzip", "zstd", "zip", "one gzip in another", "gzip in zip", "gzip in tar", "length"])
    if how == "length":
        data = head + struct.pack(">I", draw.choice([0x7FFFFFFF, 0xFFFFFFF0, 1 << 28])) + unit * (PART // len(unit))
    elif how == "zip":
        data = _zipped(head, unit, size)
    else:
        data = b"".join(_frames(head, unit, size, zstd.compress if how == "zstd" else _gzipped))
    more = {"one gzip in another": _gzipped, "gzip in zip": _in_zip, "gzip in tar": _tarred}
    return f"{kind}, {how}, {size >> 30} GB{', a sound beginning' if sound else ''}", more.get(how, lambda one: one)(
        data
    )


def memory_of(process: int) -> int:
    """Resident bytes of a process and all that it has started."""
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return 0
    return resident(process) + sum(memory_of(int(child)) for child in children)


def exploded(draw: random.Random) -> str | None:
    """A bomb is read or refused in a sentence, in seconds, below MOST_MEMORY."""
    what, data = bomb(draw)
    with tempfile.TemporaryDirectory(prefix="overbudget-torture-") as folder:
        dump = Path(folder) / "dump"
        dump.write_bytes(data)
        command = [sys.executable, "-m", "overbudget.app.cli", "ingest", str(dump), "--to", f"{folder}/out/d.duckdb"]
        with (Path(folder) / "err").open("wb") as err:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=err)
        most, end = 0, time.monotonic() + LONGEST_S
        while process.poll() is None and time.monotonic() < end:
            most = max(most, memory_of(process.pid))
            time.sleep(0.02)
        ended = process.poll()
        if ended is None:
            process.terminate()
            process.wait()
        said = (Path(folder) / "err").read_text()
        left = os.listdir(f"{folder}/out") if os.path.isdir(f"{folder}/out") else []
    if ended not in (0, 2) or "Traceback" in said or "a bug" in said or (ended == 2) != (said.count("\n") == 1):
        return f"{what}: it ends with {ended}: {said[-500:]}"
    if most > MOST_MEMORY:
        return f"{what}: {most >> 20:,} MB of memory"
    if left != (["d.duckdb"] if ended == 0 else []):
        return f"{what}: {left} are left"
    return None
