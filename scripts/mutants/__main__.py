"""Whether the tests would notice a plausible fault: `make mutants`, or `make mutants N=20 SEED=1` for a short run.

A seeded sample of faults is put into analysis/, kernels/ and ingest/derive/, one at a time, each against the tests that
mirror its folder and, where those do not notice and there is time, against the tests that run every analysis. Prints,
room by room, how many were noticed, and every one that was not.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.mutants.rooms import Mutant, all_mutants, mirror, sample
from scripts.mutants.table import Outcome, table
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


class _Runner:
    """Runs trials, so many at a time, until the time is over."""

    def __init__(self, folder: Path, jobs: int, end: float) -> None:
        self._folder, self._jobs, self._end, self._made = folder, jobs, end, 0

    def run(self, mutants: Sequence[Mutant], second: Sequence[str]) -> list[Outcome]:
        """What became of each mutant that there was time for."""
        usual = self._usual({(tuple(mirror(m.file)), m.without_jit) for m in mutants})
        outcomes = self._try(mutants, lambda m: tuple(mirror(m.file)), usual)
        left = [outcome.mutant for outcome in outcomes if outcome.survived]
        if second and left:
            known = self._usual({(tuple(second), m.without_jit) for m in left})
            again = {
                o.mutant: o for o in self._try(left, lambda _: tuple(second), known) if not o.survived and not o.red
            }
            outcomes = [again.get(o.mutant, o) for o in outcomes]
        return outcomes

    def _usual(self, kinds: set[tuple[tuple[str, ...], bool]]) -> dict[tuple[tuple[str, ...], bool], float | None]:
        """How long tests take without a fault, in seconds; None where they fail then."""
        found: dict[tuple[tuple[str, ...], bool], float | None] = {}
        trials = [self._trial(None, tests, without_jit, LONGEST) for tests, without_jit in sorted(kinds)]
        for trial, status in self._all(trials):
            sound = status in (PASSED, NO_TESTS)
            found[tuple(trial.tests), trial.without_jit] = trial.took if sound else None
            if not sound:
                print(f"These tests fail without a fault: {' '.join(trial.tests)}\n{trial.said[-3000:]}", flush=True)
        return found

    def _try(self, mutants: Sequence[Mutant], tests_of, usual) -> list[Outcome]:  # type: ignore[no-untyped-def]
        trials, red = [], []
        for mutant in mutants:
            tests = tests_of(mutant)
            seconds = usual[tests, mutant.without_jit]
            if seconds is None:
                red.append(Outcome(mutant, "red", 0.0))
            else:
                trials.append(self._trial(mutant, tests, mutant.without_jit, SLOWEST * seconds + MORE_SECONDS))
        for trial, status in self._all(trials):
            how = "survived" if status in (PASSED, NO_TESTS) else "too slow" if status == -1 else "noticed"
            red.append(Outcome(trial.mutant, how, trial.took))
            print(f"{how:9} {trial.took:6.1f} s  {trial.mutant}", flush=True)
        return red

    def _trial(self, mutant: Mutant | None, tests: tuple[str, ...], without_jit: bool, seconds: float) -> Trial:
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
