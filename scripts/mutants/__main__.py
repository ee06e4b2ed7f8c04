"""Whether the tests would notice a plausible fault: `make mutants`, or `make mutants N=20 SEED=1` for a short run.

A seeded sample of faults is put into analysis/, kernels/ and ingest/derive/, one at a time, each against the tests that
mirror its folder and, where those do not notice and there is time, against the tests that run every analysis. Prints,
room by room, how many were noticed, and every one that was not.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.mutants.rooms import Mutant, all_mutants, mirror, sample
from scripts.mutants.table import NOTICED, How, Outcome, table
from scripts.mutants.trial import NO_TESTS, PASSED, Trial, load_libraries

CROSS_CUTTING = ("tests/test_every_analysis.py",)
SLOWEST = 4.0  # a mutant may take so many times as long as the sources as they are, and a few seconds
MORE_SECONDS = 15.0
LONGEST = 900.0  # seconds, for the tests of a folder without a fault


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; 1 where the tests fail without any fault, or no mutant could be tried."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--only", default="", help="files that begin so, for example analysis/compare")
    parser.add_argument("--no-second-stage", action="store_true", help="the mirror tests only")
    given = parser.parse_args(arguments)
    every = [mutant for mutant in all_mutants() if mutant.file.startswith(given.only)]
    chosen = sample(every, given.count, given.seed)
    print(f"{len(chosen)} of {len(every)} mutants, seed {given.seed}, {given.jobs} at a time", flush=True)
    load_libraries()
    end = time.monotonic() + 60 * given.minutes
    with tempfile.TemporaryDirectory(prefix="overbudget-mutants-") as folder:
        runner = _Runner(Path(folder), given.jobs, end)
        second = () if given.no_second_stage else CROSS_CUTTING
        outcomes = runner.run(chosen, second)
    print("\n".join(table(outcomes, len(chosen))))
    return int(not outcomes or any(outcome.red for outcome in outcomes))


class _Tests(NamedTuple):
    """Tests that run together, and whether kernels are Python then."""

    tests: tuple[str, ...]
    without_jit: bool


class _Runner:
    """Runs trials, so many at a time, until the time is over."""

    def __init__(self, folder: Path, jobs: int, end: float) -> None:
        self._folder, self._jobs, self._end, self._made = folder, jobs, end, 0

    def run(self, mutants: Sequence[Mutant], second: Sequence[str]) -> list[Outcome]:
        """What became of each mutant that there was time for."""
        outcomes = self._stage(mutants, lambda mutant: mirror(mutant.file))
        left = [outcome.mutant for outcome in outcomes if outcome.how == "survived"]
        if second and left:
            again = {one.mutant: one for one in self._stage(left, lambda _: second) if one.how in NOTICED}
            outcomes = [again.get(one.mutant, one) for one in outcomes]
        return outcomes

    def _stage(self, mutants: Sequence[Mutant], tests_of: Callable[[Mutant], Sequence[str]]) -> list[Outcome]:
        """The mutants, each against its tests; those whose tests fail without a fault are told as red."""
        asked = {mutant: _Tests(tuple(sorted(tests_of(mutant))), mutant.without_jit) for mutant in mutants}
        usual = self._usual(set(asked.values()))
        outcomes, trials = list[Outcome](), list[Trial]()
        for mutant, kind in asked.items():
            seconds = usual.get(kind)
            if kind in usual and seconds is None:
                outcomes.append(Outcome(mutant, "red", 0.0))
            elif seconds is not None:
                trials.append(
                    self._trial(mutant, tests_of(mutant), mutant.without_jit, SLOWEST * seconds + MORE_SECONDS)
                )
        for trial, status in self._all(trials):
            assert trial.mutant is not None
            how: How = "survived" if status in (PASSED, NO_TESTS) else "too slow" if status == -1 else "noticed"
            outcomes.append(Outcome(trial.mutant, how, trial.took))
            print(f"{how:9} {trial.took:6.1f} s  {trial.mutant}", flush=True)
        return outcomes

    def _usual(self, kinds: set[_Tests]) -> dict[_Tests, float | None]:
        """How long tests take without a fault, in seconds; None where they fail then, nothing where the time was over."""
        found: dict[_Tests, float | None] = {}
        trials = [self._trial(None, kind.tests, kind.without_jit, LONGEST) for kind in sorted(kinds)]
        for trial, status in self._all(trials):
            sound = status in (PASSED, NO_TESTS)
            found[_Tests(tuple(trial.tests), trial.without_jit)] = trial.took if sound else None
            how = "pass" if sound else "FAIL"
            print(f"{how} without a fault, {trial.took:6.1f} s  {Path(trial.tests[0]).parent}", flush=True)
            if not sound:
                print(trial.said[-3000:], flush=True)
        return found

    def _trial(self, mutant: Mutant | None, tests: Sequence[str], without_jit: bool, seconds: float) -> Trial:
        self._made += 1
        return Trial(mutant, tests, without_jit, seconds, self._folder / str(self._made))

    def _all(self, trials: Sequence[Trial]) -> Iterator[tuple[Trial, int]]:
        """Each trial with its exit status, in the order in which they end; none begins when the time is over."""
        waiting, running = list(trials), list[Trial]()
        while waiting or running:
            while waiting and len(running) < self._jobs and time.monotonic() < self._end:
                running.append(waiting.pop(0))
                running[-1].start()
            if not running:
                return
            for trial in list(running):
                status = trial.status()
                if status is not None:
                    running.remove(trial)
                    yield trial, status
            time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(main())
