"""The machine code of kernels, cached in the user's cache folder and never older than its source.

Other kernels and constants of other modules are compiled into a kernel's code, so it is cached under a hash of
its module and of every module of the package that this one imports, directly or not, and of the versions of Python,
numba, llvmlite and numpy: other sources, another hash. Files that were not used for a month are removed.
"""

import hashlib
import os
import pickle
import platform
import re
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.compiler_lock import global_compiler_lock
from numba.core.runtime import rtsys
from numba.core.serialize import dumps
from numba.extending import models, register_model, typeof_impl

from overbudget.kernels.cache_folder import cache_folder
from overbudget.kernels.compiling import on_compile, on_compiled, on_unkept

UNUSED_SECONDS = 30 * 24 * 3600
_DAY_SECONDS = 24 * 3600
_PACKAGE = __name__.partition(".")[0]
_IMPORT = re.compile(r"^(?:from|import) +(" + _PACKAGE + r"[\w.]*)(?: +import +(\([^)]*\)|.*))?", re.MULTILINE)

# numba's own lock: with a second lock, two threads could take the two in opposite orders and block each other.
lock = global_compiler_lock

# The files of the machine code that this process has used or made.
used_files: set[Path] = set()


def dispatcher(function: Callable[..., Any], signature: str | None, options: dict[str, Any]) -> Any:
    """numba's dispatcher of a function, with our cache; compiled (or loaded) at once where it has a signature."""
    made = numba.njit(**options)(function)
    made._cache = _Cache(function)
    if signature is not None:
        made.compile(signature)
        made.disable_compile()
    return made


class _Callee(numba.types.Dispatcher):
    """A kernel that is called by another one: compiled once for all numbers, not again for each constant argument."""

    def get_call_type(self, context: Any, args: Any, kws: Any) -> Any:
        plain = tuple(numba.types.unliteral(one) for one in args)
        return super().get_call_type(context, plain, {name: numba.types.unliteral(one) for name, one in kws.items()})


register_model(_Callee)(models.OpaqueModel)


@cache
def stand_for_dispatchers(kind: type) -> None:
    """Where a kernel calls an object of this class, let numba use the dispatcher in its attribute `compiled`."""
    typeof_impl.register(kind)(lambda kernel, _context: _Callee(kernel.compiled))


@cache
def _source(module: str) -> str | None:
    loader = getattr(getattr(sys.modules.get(module), "__spec__", None), "loader", None)
    try:
        return loader.get_source(module) if hasattr(loader, "get_source") else None  # type: ignore[union-attr]
    except OSError:
        return None


@cache
def _imports(module: str) -> frozenset[str]:
    """The modules of the package that a module imports at top level: kernels cannot use any other import."""
    found = set()
    for name, given in _IMPORT.findall(_source(module) or ""):
        found |= {name, *(f"{name}.{one}" for one in re.findall(r"\w+", given))}
    return frozenset(found & sys.modules.keys())


def _versions() -> "hashlib._Hash":
    """A hash of what machine code depends on in addition to its sources."""
    settings = sorted(item for item in os.environ.items() if item[0].startswith("NUMBA_"))
    versions = (platform.python_implementation(), sys.version_info[:3], numba.__version__, llvmlite.__version__)
    return hashlib.sha256(repr((versions, np.__version__, sys.platform, settings)).encode())


def key_of_sources(files: Iterable[Path]) -> str:
    """A hash of source files and of what else machine code depends on (versions)."""
    digest = _versions()
    for file in files:
        source = file.read_bytes()
        digest.update(f"{file.name} {len(source)}\n".encode() + source)
    return digest.hexdigest()[:20]


@cache
def key_of(module: str) -> str | None:
    """The hash under which the kernels of a module are cached; None where its source cannot be read."""
    reached, waiting = {module}, [module]
    while waiting:
        new = _imports(waiting.pop()) - reached
        reached |= new
        waiting += new
    digest = _versions()
    for name in sorted(reached):
        source = _source(name)
        if source is None:
            return None
        digest.update(f"{name} {len(source)}\n{source}".encode())
    return digest.hexdigest()[:20]


def _folder_of(module: str) -> Path | None:
    key = key_of(module)
    return cache_folder() / "kernels" / f"{module}-{key}" if key else None


def is_kept(function: Callable[..., Any]) -> bool:
    """Whether a kernel's machine code was cached by an earlier run."""
    folder = _folder_of(function.__module__)
    return folder is not None and any(folder.glob(f"{function.__name__}-*.bin"))


class _Cache(NullCache):
    """One file for each kernel and the types of its arguments. Where nothing can be cached, every run compiles again."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._name = f"{function.__module__}.{function.__qualname__}"
        self._folder = _folder_of(function.__module__)

    def _file(self, folder: Path, signature: Any, machine: Any) -> Path:
        digest = hashlib.sha256(repr((self._name, str(signature), machine)).encode()).hexdigest()
        return folder / f"{self._name.rpartition('.')[2]}-{digest[:20]}.bin"

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        # Only what a call needs: what compiling needs takes 0.1 s to load, and numba loads it when it compiles.
        rtsys.initialize(target_context)
        if self._folder is not None:
            path = self._file(self._folder, sig, target_context.codegen().magic_tuple())
            try:
                payload = path.read_bytes()
                _mark_used(self._folder)
                found = CompileResult._rebuild(target_context, *pickle.loads(payload))
                used_files.add(path)
                return found
            except OSError:
                pass
            except Exception as error:  # a damaged file is compiled again and replaced
                if os.environ.get("OVERBUDGET_DEBUG"):
                    print(f"{self._name} is compiled again: {error!r}", file=sys.stderr)
        for told in on_compile:
            told(self._name)
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        self._save(sig, data)
        for told in on_compiled:
            told(self._name)

    def _save(self, sig: Any, data: Any) -> None:
        if self._folder is None or data.library.has_dynamic_globals or any(not one.can_cache for one in data.lifted):
            return
        path = self._file(self._folder, sig, data.codegen.magic_tuple())
        aside = path.with_suffix(f".{uuid.uuid4().hex[:12]}")
        try:
            if not self._folder.exists():
                self._folder.mkdir(parents=True, exist_ok=True)
                _sweep(self._folder.parent)
            aside.write_bytes(dumps(data._reduce()))
            aside.replace(path)
            used_files.add(path)
        except OSError as error:  # a full disk, a folder that is not ours
            for told in on_unkept:
                told(cache_folder(), error)


@cache
def _mark_used(folder: Path) -> None:
    with suppress(OSError):  # a cache that came with an image may be read-only
        if time.time() - folder.stat().st_mtime > _DAY_SECONDS:
            os.utime(folder)


def _sweep(folder: Path) -> None:
    """Remove files of other sources and versions that were not used for a month."""
    for old in folder.iterdir():
        if time.time() - old.stat().st_mtime > UNUSED_SECONDS:
            shutil.rmtree(old, ignore_errors=True)
