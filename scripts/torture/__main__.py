"""`python -m scripts.torture --minutes 3 --seed 1`: cases, survived, lost; exit status 1 where anything was lost."""

import argparse
import random
import resource
import shutil
import sys
import time
import traceback
from collections.abc import Callable

from scripts.torture.bombs import exploded
from scripts.torture.documents import json_readers, protobuf_readers
from scripts.torture.faults import fault
from scripts.torture.ingests import at_once, killed, spoilt_dump
from scripts.torture.shapes import one_record, wrong_shapes
from scripts.torture.uploads import uploaded

MOST_MEMORY = 2 << 30  # bytes of this process: the readers and whole ingests run in it
# What is done, and the share of the time that it gets.
CASES: dict[str, tuple[Callable[[random.Random], str | None], float]] = {
    "JSON: kernel against general reader": (json_readers, 0.15),
    "protobuf: kernel against protobuf's decoder": (protobuf_readers, 0.15),
    "wrong shapes of Jaeger, Zipkin, Tempo, OTLP": (wrong_shapes, 0.1),
    "wrong values within one record of any format": (one_record, 0.1),
    "whole ingests of spoilt dumps": (spoilt_dump, 0.1),
    "bombs of up to 10 GB": (exploded, 0.1),
    "a disk that fails, or a kill, at any write": (fault, 0.1),
    "kill -9 of an ingest": (killed, 0.1),
    "two appends at once": (at_once, 0.05),
    "two uploads at once": (uploaded, 0.05),
}


def survived(case: Callable[[random.Random], str | None], seed: str) -> str | None:
    """What was lost in one case; a traceback counts."""
    try:
        return case(random.Random(seed))
    except Exception:
        return traceback.format_exc()


def main() -> int:
    parser = argparse.ArgumentParser(description="Spoil what comes from outside, for a bounded time.")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    cases_of_all = lost_of_all = 0
    for name, (case, share) in CASES.items():
        until, count, lost = time.monotonic() + 60 * asked.minutes * share, 0, 0
        if case is fault and (sys.platform != "linux" or shutil.which("cc") is None):
            print(f"{name}: left out, there is no C compiler or no Linux")
            continue
        while count == 0 or time.monotonic() < until:
            said = survived(case, f"{asked.seed} {name} {count}")
            count += 1
            if said:
                lost += 1
                print(f"  lost, case {count - 1}: {said[:2_000]}", flush=True)
        cases_of_all, lost_of_all = cases_of_all + count, lost_of_all + lost
        print(f"{name}: {count:,} cases, {count - lost:,} survived, {lost:,} lost", flush=True)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    others = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10
    print(f"all: {cases_of_all:,} cases, {cases_of_all - lost_of_all:,} survived, {lost_of_all:,} lost")
    print(
        f"memory at most {memory >> 20:,} MB here (limit {MOST_MEMORY >> 20:,} MB), {others >> 20:,} MB of a process started"
    )
    return int(lost_of_all > 0 or memory > MOST_MEMORY)


if __name__ == "__main__":
    sys.exit(main())
