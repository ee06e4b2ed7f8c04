"""From what a user names to streams of plain bytes: files, folders, globs, standard input; compression and archives.

Everything is recognised from the content. Streams only go forwards and hold a few megabytes at a time.
"""

import glob
import lzma
import os
import struct
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from overbudget.ingest.files.bounds import LimitMet, Unpacked
from overbudget.ingest.report import FileReport
from overbudget.store.errors import OverbudgetError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CHUNK = 1 << 20
MOST = 16 * CHUNK  # bytes read at once, so that pieces of this size need no joining
ZSTD_STEP, ZIP_STEP = 1 << 12, 1 << 16  # bytes, compressed and not: a step that hits damage yields nothing
LARGEST_RECORD = 1 << 28  # bytes of one of the collector's zstd records, which are held in memory
GZIP, ZSTD, ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", (b"PK\x03\x04", b"PK\x05\x06")
STDIN = "-"
# What the archive modules raise over bytes that are wrong, over passwords and over methods they do not know.
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    zstd.ZstdError,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
)


@dataclass(frozen=True)
class Dump:
    """One file to read. `named` says whether the user named it, rather than the folder it is in."""

    path: str
    named: bool

    @property
    def size(self) -> int | None:
        """Bytes on disk; None for standard input."""
        return None if self.path == STDIN else os.path.getsize(self.path)


def expand(arguments: Sequence[str]) -> list[Dump]:
    """The files that the arguments name: files, folders (all that is in them), patterns, "-" for standard input.

    Errors: OverbudgetError where an argument names nothing.
    """
    found: dict[str, Dump] = {}
    for argument in arguments:
        if argument == STDIN:
            found[STDIN] = Dump(STDIN, True)
        elif os.path.isdir(argument):
            files = sorted(
                str(path) for path in Path(argument).rglob("*") if path.is_file() and not path.name.startswith(".")
            )
            if not files:
                raise OverbudgetError(f"The folder {argument} holds no files.")
            found.update({path: found.get(path, Dump(path, False)) for path in files})
        elif os.path.exists(argument):
            found[argument] = Dump(argument, True)
        elif matches := sorted(path for path in glob.glob(argument, recursive=True) if os.path.isfile(path)):
            found.update({path: found.get(path, Dump(path, False)) for path in matches})
        else:
            raise OverbudgetError(f"There is no file {argument}.")
    if not found:
        raise OverbudgetError("Name at least one dump file.")
    return list(found.values())


class Stream:
    """Bytes that can be looked at before they are read."""

    def __init__(self, more: Callable[[int], bytes]) -> None:
        """`more(wanted)` gives the next bytes, maybe more or fewer than wanted; none at the end."""
        self._more = more
        self._kept, self._at = b"", 0
        self._ended = False

    def peek(self, size: int) -> bytes:
        """The next `size` bytes (fewer at the end), without consuming them."""
        have = len(self._kept) - self._at
        if have < size and not self._ended:
            parts = [self._kept[self._at :]] if have else []
            while have < size and not self._ended:
                part = self._more(min(max(size - have, CHUNK), MOST))
                self._ended = not part
                parts.append(part)
                have += len(part)
            self._kept, self._at = parts[0] if len(parts) == 1 else b"".join(parts), 0
        return self._kept[self._at : self._at + size]

    def read(self, size: int = -1) -> bytes:
        """Exactly `size` bytes; fewer only at the end. The whole rest if `size` is negative."""
        data = self.peek(sys.maxsize if size < 0 else size)
        self._at += len(data)
        if self._at == len(self._kept):
            self._kept, self._at = b"", 0
        return data

    def skip(self) -> None:
        """Skip the whole rest, without holding it in memory."""
        self._kept, self._at = b"", 0
        while not self._ended:
            self._ended = not self._more(CHUNK)


@dataclass(frozen=True)
class Member:
    """One stream of plain bytes in a dump: the file itself, or a file in an archive."""

    name: str
    compression: str  # "gzip", "zip, zstd", … or "" where there is none
    stream: Stream


def members(dump: Dump, report: FileReport, on_bytes: Callable[[int], None] = lambda count: None) -> Iterator[Member]:
    """The streams in a dump, one after the other: each must be read before the next is taken.

    `on_bytes` is called with the number of bytes of the file that were read. A stream that ends early ends early here too,
    and is reported (`cut_off`, or `damaged` where its bytes are wrong).

    Errors: OverbudgetError where the file cannot be read.
    """
    unpacked = Unpacked(dump.path)
    try:
        with sys.stdin.buffer if dump.path == STDIN else open(dump.path, "rb") as file:

            def more(wanted: int) -> bytes:
                try:
                    data = file.read(wanted)
                except OSError as error:  # said here: who reads on writes the dataset, whose disk it is not
                    raise _unreadable(dump, error) from error
                unpacked.taken += len(data)
                on_bytes(len(data))
                return data

            yield from _open(
                Stream(more), os.path.basename(dump.path), (), report, file if dump.path != STDIN else None, unpacked
            )
    except OSError as error:
        raise _unreadable(dump, error) from error


def _unreadable(dump: Dump, error: OSError) -> OverbudgetError:
    return OverbudgetError(f"Cannot read {dump.path}: {error.strerror or error}.")


def _open(
    stream: Stream, name: str, how: tuple[str, ...], report: FileReport, file: BinaryIO | None, unpacked: Unpacked
) -> Iterator[Member]:
    """Undo each compression or archive that the first bytes show, until they show none."""
    head = stream.peek(512)
    if len(how) > 4:
        raise LimitMet(f"{report.source} is compressed more than four times over, so it is not a dump.")
    if head.startswith(GZIP):
        gunzipped = Stream(unpacked.counted(_gunzip(stream, report)))
        yield from _open(gunzipped, name, (*how, "gzip"), report, None, unpacked)
    elif head.startswith(ZSTD):
        unzstd = Stream(unpacked.counted(_unzstd(stream, report)))
        yield from _open(unzstd, name, (*how, "zstd"), report, None, unpacked)
    elif head[4:8] == ZSTD and 0 < struct.unpack(">I", head[:4])[0] < 1 << 31:
        yield Member(name, ", ".join((*how, "zstd records")), Stream(unpacked.counted(_zstd_records(stream, report))))
    elif head.startswith(ZIP):
        yield from _unzip(stream, name, how, report, file, unpacked)
    elif head[257:262] == b"ustar":
        yield from _untar(stream, name, how, report, unpacked)
    else:
        yield Member(name, ", ".join(how), stream)


def _gunzip(stream: Stream, report: FileReport) -> Callable[[int], bytes]:
    """Inflate all members of a gzip stream."""
    state: dict[str, Any] = {"inflate": zlib.decompressobj(31), "left": b"", "fresh": True}

    def more(_: int) -> bytes:
        while True:
            inflate = state["inflate"]
            data = state["left"] or stream.read(CHUNK)
            if not data:
                if not state["fresh"]:
                    report.warn("cut_off", "the gzip stream ends early")
                    state["fresh"] = True
                return b""
            before = inflate.copy()
            try:
                out = inflate.decompress(data, 4 * CHUNK)
            except zlib.error as error:
                if not (state["fresh"] and data.strip(b"\0") == b""):  # padding after the last member is legal
                    report.warn("damaged", f"the gzip stream is damaged: {error}")
                state.update(inflate=zlib.decompressobj(31), left=b"", fresh=True)
                stream.skip()
                return _up_to_the_damage(before, data)
            state["fresh"] = False
            state["left"] = inflate.unconsumed_tail
            if inflate.eof:
                state.update(inflate=zlib.decompressobj(31), left=inflate.unused_data, fresh=True)
            if out:
                return cast(bytes, out)

    return more


def _up_to_the_damage(inflate: Any, data: bytes) -> bytes:
    """What can be inflated of `data` before the wrong byte: zlib returns nothing from a call that fails."""
    out = []
    try:
        for at in range(len(data)):
            out.append(inflate.decompress(data[at : at + 1]))
    except zlib.error:
        pass
    return b"".join(out)


def _unzstd(stream: Stream, report: FileReport) -> Callable[[int], bytes]:
    """Decompress all frames of a zstd stream."""
    state: dict[str, Any] = {"frame": zstd.ZstdDecompressor(), "left": b"", "fresh": True}

    def more(_: int) -> bytes:
        while True:
            frame = state["frame"]
            data = b""
            if frame.needs_input:
                data = state["left"] or stream.read(ZSTD_STEP)
                state["left"] = b""
                if not data:
                    if not state["fresh"]:
                        report.warn("cut_off", "the zstd stream ends early")
                        state["fresh"] = True
                    return b""
            try:
                out = frame.decompress(data, 4 * CHUNK)
            except zstd.ZstdError as error:
                report.warn("damaged", f"the zstd stream is damaged: {error}")
                state.update(left=b"", fresh=True, frame=zstd.ZstdDecompressor())
                stream.skip()
                return b""
            state["fresh"] = False
            if frame.eof:
                state.update(frame=zstd.ZstdDecompressor(), left=frame.unused_data, fresh=True)
            if out:
                return cast(bytes, out)

    return more


def _zstd_records(stream: Stream, report: FileReport) -> Callable[[int], bytes]:
    """The collector's older framing: `[4-byte length][zstd frame of one document]`, again and again.

    JSON documents come out as lines, protobuf messages with their 4-byte length in front.
    """

    def more(_: int) -> bytes:
        while prefix := stream.read(4):
            size = struct.unpack(">I", prefix.rjust(4, b"\0"))[0]
            frame = stream.read(size) if size <= LARGEST_RECORD else b""
            if len(prefix) < 4 or len(frame) < size:
                report.warn("cut_off", "the last record ends early")
                stream.skip()
                return b""
            try:
                decompressor = zstd.ZstdDecompressor()
                document = decompressor.decompress(frame, LARGEST_RECORD)
                if not decompressor.eof:
                    raise zstd.ZstdError("it does not end where its length says")
            except zstd.ZstdError as error:
                report.warn("unreadable_record", f"a zstd record is damaged: {error}")
                continue
            if document.lstrip()[:1] in (b"{", b"["):
                return document.replace(b"\n", b" ") + b"\n"
            return struct.pack(">I", len(document)) + document
        return b""

    return more


def _unzip(
    stream: Stream,
    name: str,
    how: tuple[str, ...],
    report: FileReport,
    file: BinaryIO | None,
    unpacked: Unpacked,
) -> Iterator[Member]:
    with tempfile.TemporaryFile() as spool:
        if file is None or how:  # a zip file's index is at its end: the whole file is needed
            while data := stream.read(CHUNK):
                spool.write(data)
            file = spool
        else:
            unpacked.taken = os.fstat(file.fileno()).st_size
        try:
            archive = zipfile.ZipFile(file)
        except _DAMAGE as error:
            report.warn("damaged", f"the zip archive cannot be read: {error}")
            return
        with archive:
            for entry in archive.infolist():
                if entry.is_dir() or _hidden(entry.filename):
                    continue
                if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    # Python unpacks bzip2 and LZMA without a bound: a kilobyte becomes a gigabyte in memory
                    report.warn(
                        "not_a_dump", f"{entry.filename} in the zip archive is packed by a method that is not read"
                    )
                    continue
                try:
                    inner = archive.open(entry)
                except _DAMAGE as error:
                    report.warn("damaged", f"{entry.filename} in the zip archive cannot be read: {error}")
                    continue
                with inner:
                    yield from _open(
                        Stream(unpacked.counted(_guarded(inner, report))),
                        f"{name}/{entry.filename}",
                        (*how, "zip"),
                        report,
                        None,
                        unpacked,
                    )


def _untar(stream: Stream, name: str, how: tuple[str, ...], report: FileReport, unpacked: Unpacked) -> Iterator[Member]:
    try:
        with tarfile.open(fileobj=cast(BinaryIO, stream), mode="r|") as archive:
            for entry in archive:
                inner = archive.extractfile(entry) if entry.isfile() and not _hidden(entry.name) else None
                if inner is not None:
                    yield from _open(
                        Stream(_guarded(inner, report)),
                        f"{name}/{entry.name}",
                        (*how, "tar"),
                        report,
                        None,
                        unpacked,
                    )
    except _DAMAGE as error:
        report.warn("damaged", f"the tar archive cannot be read: {error}")


def _guarded(inner: IO[bytes], report: FileReport) -> Callable[[int], bytes]:
    def more(_: int) -> bytes:
        try:
            return inner.read(ZIP_STEP)
        except _DAMAGE as error:
            report.warn("damaged", f"a file in the archive is damaged: {error}")
            return b""

    return more


def _hidden(name: str) -> bool:
    return name.startswith("__MACOSX") or any(
        part.startswith(".") for part in name.split("/") if part not in (".", "..")
    )
