"""Which modules are mutated, which tests are beside each, and a seeded sample of the faults of all."""

import hashlib
import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from scripts.mutants.sites import Site, sites

ROOT = Path(__file__).resolve().parent.parent.parent
KERNELS = "kernels"
FOLDERS = ("kernels", "stages", "store", "ingest", "analysis", "app", "api", "sample_traces")  # of the package
ROOMS = (KERNELS, "ingest/derive", "analysis")
# How kernels are compiled, which is off while they are mutated, and what there is as machine code only.
LEFT_OUT = ("kernels/jit.py", "kernels/machine_code.py", "kernels/words.py")
TESTS_LEFT_OUT = ("tests/kernels/test_jit.py",)  # tests of how kernels are compiled
LEAST_OF_A_ROOM = 12  # mutants of a room, so that its share says something


@dataclass(frozen=True)
class Mutant:
    """One fault in one file, a path from the root of the checkout."""

    file: str
    site: Site

    @property
    def room(self) -> str:
        """The folder of the file."""
        return str(Path(self.file).parent)

    @property
    def module(self) -> str:
        """The name by which the file is imported."""
        return "overbudget." + self.file.removesuffix(".py").replace("/", ".")

    @property
    def without_jit(self) -> bool:
        """Whether the tests run kernels as Python: machine code would be that of the source on disk."""
        return self.room == KERNELS

    def __str__(self) -> str:
        return f"{self.file}:{self.site.line}: {self.site.change}"


def mirror(file: str, root: Path = ROOT) -> list[str]:
    """The tests beside a file: its own test file first, then the others of the folder that mirrors its own."""
    folder = root / "tests" / Path(file).parent
    own = folder / f"test_{Path(file).stem}.py"
    found = ([own] if own.is_file() else []) + [path for path in sorted(folder.glob("test_*.py")) if path != own]
    names = [str(path.relative_to(root)) for path in found]
    return [name for name in names if name not in TESTS_LEFT_OUT]


def digest(test: str, root: Path = ROOT) -> str:
    """A name for a test file with the sources as they are, and with what tests share."""
    return hashlib.sha256(_sources(root) + (root / test).read_bytes()).hexdigest()[:16]


@cache
def _sources(root: Path) -> bytes:
    hashed = hashlib.sha256()
    sources = [path for folder in FOLDERS for path in (root / folder).rglob("*.py")]
    shared = [path for path in (root / "tests").rglob("*.py") if not path.name.startswith("test_")]
    for path in sorted(sources + shared):
        hashed.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes() + b"\0")
    return hashed.digest()


def all_mutants(root: Path = ROOT) -> list[Mutant]:
    """Every fault in every room."""
    files = [path for room in ROOMS for path in sorted((root / room).rglob("*.py")) if path.name != "__init__.py"]
    names = [str(path.relative_to(root)) for path in files]
    return [
        Mutant(name, site)
        for name in names
        if name not in LEFT_OUT
        for site in sites((root / name).read_text(encoding="utf-8"))
    ]


def sample(every: list[Mutant], count: int, seed: int) -> list[Mutant]:
    """`count` of them, a third in kernels; of the other rooms each has its share by size, and some at least.

    The same seed and sources give the same mutants, in the same mixed order.
    """
    chance = random.Random(seed)
    by_room: dict[str, list[Mutant]] = {}
    for mutant in every:
        by_room.setdefault(mutant.room, []).append(mutant)
    sizes = {room: len(found) for room, found in by_room.items() if room != KERNELS}
    in_kernels = min(count // 3 if len(by_room) > 1 else count, len(by_room.get(KERNELS, ())))
    others = count - in_kernels
    least = min(LEAST_OF_A_ROOM, others // max(len(sizes), 1))
    spread = others - least * len(sizes)
    wanted = {room: least + spread * size // max(sum(sizes.values()), 1) for room, size in sizes.items()}
    for room in sorted(sizes, key=lambda room: -sizes[room])[: others - sum(wanted.values())]:
        wanted[room] += 1  # what rounding left over
    wanted[KERNELS] = in_kernels
    taken = [
        mutant
        for room, found in sorted(by_room.items())
        for mutant in chance.sample(found, min(wanted[room], len(found)))
    ]
    chance.shuffle(taken)
    return taken
