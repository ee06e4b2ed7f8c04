"""How sure: do intervals cover the truth, and does compare distinguish systems exactly if they differ?"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.worlds.mechanisms.rhythm import Bursts
from overbudget.analysis.common.percentiles import quantiles
from overbudget.analysis.compare.compare import DECIDING, Side, compare
from overbudget.analysis.compare.percentile_change import FALSE_ALARMS, Sample, changes
from overbudget.analysis.requests.read import read_requests
from overbudget.analysis.requests.table import Filters
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset

F64 = npt.NDArray[np.float64]
MEDIAN_NS, SPREAD = 800e6, 0.4  # latencies are lognormal
UPPER = {50: 0.0, 95: 1.6448536269514722}  # quantiles of the normal distribution
ALIKE = (0.0, 0.5, 0.9, 0.98)  # correlation of a request with the one before
SYSTEM = 4000  # the seed of the first system that is compared with itself
WINDOW = 500  # requests of each side
PAIRS = 10  # of one system


@dataclass(frozen=True)
class Rate:
    """How often something came out, of how many, and the aim: at least this often, or with `most` at most."""

    what: str
    of: int
    share: float
    aim: float | None = None
    most: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the aim is met; None without one."""
        if self.aim is None or self.of == 0:
            return None
        return self.share <= self.aim if self.most else self.share >= self.aim


@dataclass(frozen=True)
class Cover:
    """Intervals of one percentile of `n` requests: how many were told, how many of these cover the truth, and how wide
    they are, as a multiple of what one who knows the truth needs."""

    correlation: float
    n: int
    percentile: int
    told: float
    covers: float
    width: float


def latencies(random: np.random.Generator, n: int, correlation: float = 0.0) -> npt.NDArray[np.int64]:
    """Latencies (ns) of n requests in order of arrival, each correlated with the one before (AR(1) of their logarithms)."""
    noise = random.standard_normal(n)
    if correlation:
        noise[1:] *= np.sqrt(1 - correlation**2)
        for i in range(1, n):
            noise[i] += correlation * noise[i - 1]
    return np.asarray(MEDIAN_NS * np.exp(SPREAD * noise), np.int64)


def coverage(runs: int, sizes: tuple[int, ...] = (1000, 5000)) -> Iterator[Cover]:
    """The intervals of p50 and p95 against the true percentiles."""
    for correlation in ALIKE:
        for n in sizes:
            random = np.random.default_rng([7, int(correlation * 100), n])
            found = [quantiles(latencies(random, n, correlation), (50, 95))[0] for _ in range(runs)]
            for place, percentile in enumerate((50, 95)):
                mine = [one[place] for one in found]
                true = MEDIAN_NS * np.exp(SPREAD * UPPER[percentile])
                yield _cover(correlation, n, percentile, mine, float(true))


def _cover(correlation: float, n: int, percentile: int, found: list, true: float) -> Cover:  # type: ignore[type-arg]
    told = [one for one in found if one.known and one.independence in ("held", "corrected")]
    covers = [one.low_ns <= true <= one.high_ns for one in told]
    needed = 2 * 1.96 * float(np.std([one.value_ns for one in found]))
    wide = [(one.high_ns - one.low_ns) / needed for one in told]
    share = float(np.mean(covers)) if told else float("nan")
    return Cover(
        correlation, n, percentile, len(told) / len(found), share, float(np.median(wide)) if told else float("nan")
    )


def power(runs: int, n: int = 5000) -> Iterator[Rate]:
    """Of n independent requests a side: 10 % more is called slower, no change is called as fast as."""
    random = np.random.default_rng(8)
    slower = [_verdict(latencies(random, n), latencies(random, n) * 11 // 10) for _ in range(runs)]
    same = [_verdict(latencies(random, n), latencies(random, n)) for _ in range(runs)]
    yield Rate(f"10 % more on everything, {n:,} requests a side, is called slower", runs, _share(slower, "slower"), 0.8)
    yield Rate("no change is called as fast as, at p50 and p95", runs, _share(same, "same"), 0.8)
    wrong = _share(same, "slower") + _share(same, "faster")
    yield Rate("no change is called slower or faster", runs, wrong, 0.05, most=True)


def _verdict(before: npt.NDArray[np.int64], after: npt.NDArray[np.int64]) -> str:
    sides = [Sample(one, np.full(len(one), 1 / len(one))) for one in (before, after)]
    told = {one.verdict for one in changes("total", sides, DECIDING, DECIDING, FALSE_ALARMS / 2 / len(DECIDING))}
    if "slower" in told:
        return "slower"
    return "faster" if "faster" in told else "same" if told == {"same"} else "unknown"


def _share(verdicts: list[str], wanted: str) -> float:
    return verdicts.count(wanted) / len(verdicts)


def self_comparisons(systems: int) -> Iterator[Rate]:
    """Windows of one system whose requests come in bursts and in better and worse times, compared with the next window."""
    for spells, times, aim in (
        ("new times with every burst", 1.0, 0.05),
        ("only a few such times in a window", 8.0, 0.05),
    ):
        verdicts = [verdict for system in range(systems) for verdict in _with_itself(SYSTEM + system, times)]
        of, wrong = len(verdicts), _share(verdicts, "slower") + _share(verdicts, "faster")
        what = f"a system with bursts, {spells}, {WINDOW} requests a side"
        yield Rate(f"{what}, is slower or faster than itself", of, wrong, aim, most=True)
        yield Rate("it is as fast as itself (the rest: not proven)", of, _share(verdicts, "same"))


def _with_itself(seed: int, longer: float) -> Iterator[str]:
    world = Bursts(seed, 2 * PAIRS * WINDOW)
    world.spell_ms *= longer
    with tempfile.TemporaryDirectory(prefix="overbudget-accuracy-") as name:
        folder = Path(name)
        run = world.run(noise=2)
        ingest([world.write(run, folder / "dump.jsonl")], folder / "system.duckdb")
        with open_dataset(folder / "system.duckdb") as connection:
            requests = read_requests(connection)
            at = np.append(np.sort(requests.start_ns)[::WINDOW], requests.start_ns.max() + 1)
            for pair in range(PAIRS):
                first, middle, last = at[2 * pair : 2 * pair + 3].tolist()
                base, candidate = Filters(start=first, end=middle), Filters(start=middle, end=last)
                yield compare(Side(connection, base, requests), Side(connection, candidate, requests)).verdict
