"""Whether the tests would notice a plausible fault: `make mutants`, or `make mutants N=20 SEED=1` for a short run.

A seeded sample of faults is put into analysis/, kernels/ and ingest/derive/, one at a time, each against those tests of
the folder that mirrors its own that run the function with the fault. Prints, room by room, how many were noticed, and
every one that was not.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.mutants.reach import Reach
from scripts.mutants.rooms import ROOT, Mutant, all_mutants, digest, mirror, sample
from scripts.mutants.table import How, Outcome, table
from scripts.mutants.trial import FAILED, NO_TESTS, PASSED, STOPPED, TOO_MUCH_CPU, Trial, load_libraries

KEPT = ROOT / "build" / "mutants"  # which tests run which functions


def _kept(tests: "_Tests", file: str) -> Path:
    return KEPT / f"{digest(file)}-{tests.without_jit:d}.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; 1 where the tests fail without any fault, or no mutant could be tried."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--only", default="", help="files that begin so, for example analysis/compare")
    given = parser.parse_args(arguments)
    every = [mutant for mutant in all_mutants() if mutant.file.startswith(given.only)]
    chosen = sample(every, given.count, given.seed)
    print(f"{len(chosen)} of {len(every)} mutants, seed {given.seed}, {given.jobs} at a time", flush=True)
    load_libraries()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="overbudget-mutants-") as folder:
        runner = _Runner(Path(folder), given.jobs, began + 60 * given.minutes)
        outcomes = runner.run(chosen)
    print("\n".join(table(outcomes, len(chosen))))
    used = os.times()
    cpu = used.children_user + used.children_system
    print(f"{(time.monotonic() - began) / 60:.1f} minutes on the clock, {cpu / 60:.1f} of one processor")
    return int(not outcomes or not runner.all_pass or any(outcome.red for outcome in outcomes))


class _Tests(NamedTuple):
    """The tests of a folder, and whether kernels are Python in them."""

    files: tuple[str, ...]
    without_jit: bool


class _Runner:
    """Runs trials, so many at a time, until the time is over."""

    def __init__(self, folder: Path, jobs: int, end: float) -> None:
        self._folder, self._jobs, self._end, self._made = folder, jobs, end, 0
        self.all_pass = True  # the tests, without a fault

    def run(self, mutants: Sequence[Mutant]) -> list[Outcome]:
        """What became of each mutant that there was time for; those whose tests fail without a fault are told as red."""
        asked = {mutant: _Tests(tuple(sorted(mirror(mutant.file))), mutant.without_jit) for mutant in mutants}
        reach = self._reach(set(asked.values()))
        outcomes, trials = list[Outcome](), list[Trial]()
        for mutant, tests in asked.items():
            known = reach.get(tests)
            if known is not None:
                chosen = known.tests(mutant.file, mutant.site.function, mirror(mutant.file)[0])
                trials.append(
                    self._trial(tests.without_jit, chosen, mutant, {one: known.seconds[one] for one in chosen})
                )
            elif tests in reach:
                outcomes.append(Outcome(mutant, "red", 0.0))
        for trial, status in self._all([trial for trial in trials if trial.seconds]):
            assert trial.mutant is not None
            how: How = "survived" if status in (PASSED, NO_TESTS) else "noticed"
            if status in (STOPPED, TOO_MUCH_CPU):
                how = "too slow"
            outcomes.append(Outcome(trial.mutant, how, trial.cpu))
            print(f"{how:9} {trial.cpu:6.1f} s  {trial.mutant}", flush=True)
        for trial in trials:
            if not trial.seconds and trial.mutant is not None:
                outcomes.append(Outcome(trial.mutant, "survived", 0.0))
                print(f"no test runs it    {trial.mutant}", flush=True)
        return outcomes

    def _reach(self, kinds: set[_Tests]) -> dict[_Tests, Reach | None]:
        """What the tests run without a fault; None where they cannot run, nothing where the time was over.

        What is known of a test file is kept for the next run, as long as no source and nothing in it changes.
        """
        kept = {(kind, file): _kept(kind, file) for kind in kinds for file in kind.files}
        known = {place: Reach.read(path) for place, path in kept.items() if path.is_file()}
        missing = {kind: [file for file in kind.files if (kind, file) not in known] for kind in sorted(kinds)}
        trials = {kind: self._trial(kind.without_jit, files) for kind, files in missing.items() if files}
        done: dict[_Tests, bool] = dict.fromkeys(kinds - trials.keys(), True)
        for trial, status in self._all(list(trials.values())):
            kind = next(kind for kind, one in trials.items() if one is trial)
            done[kind] = status in (PASSED, FAILED, NO_TESTS)
            files = f"{len(trial.files)} files of {Path(kind.files[0]).parent}"
            print(f"without a fault {trial.cpu:6.1f} s  {files}", flush=True)
            if not done[kind]:
                print(trial.said[-3000:], flush=True)
                continue
            for file, part in Reach.read(trial.reach).by_module().items():
                known[kind, file] = part
                if not part.failed:
                    part.write(kept[kind, file])
                for test in part.failed:
                    print(f"fails without a fault, and is left out: {test}", flush=True)
                    self.all_pass = False
        return {
            kind: Reach.together(known[kind, file] for file in kind.files if (kind, file) in known) if ran else None
            for kind, ran in done.items()
        }

    def _trial(
        self,
        without_jit: bool,
        tests: Sequence[str],
        mutant: Mutant | None = None,
        seconds: dict[str, float] | None = None,
    ) -> Trial:
        self._made += 1
        files = list(dict.fromkeys(test.split("::")[0] for test in tests))
        return Trial(files, without_jit, self._folder / str(self._made), mutant, seconds)

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
