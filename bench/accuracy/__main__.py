"""`make accuracy`: python -m bench.accuracy [--quick] [--real FOLDER], or --world NAME --seed N for one world."""

import argparse
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from bench.accuracy.measure import FULL, QUICK, marks_of, measure
from bench.accuracy.report import page
from bench.worlds.mechanisms import WORLDS
from bench.worlds.score import Mark, Score


def main() -> None:
    """Measure, and write the page; or ask one world and print its marks."""
    options = _options()
    if options.world:
        _one(options)
        return
    size = QUICK if options.quick else FULL
    if options.seeds:
        size = replace(size, seeds=options.seeds)
    found = measure(size, options.seed or 1, options.real, options.jobs)
    text = page(found)
    options.to.write_text(text, encoding="utf-8")
    print(text.split("\n## Misses")[0])
    print(f"Written to {options.to}, misses included.")


def _one(options: argparse.Namespace) -> None:
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
        marks = marks_of(options.world, options.seed or 1, options.keep, options.requests)
        print(f"Dumps and datasets are in {options.keep}.")
    else:
        with tempfile.TemporaryDirectory(prefix="overbudget-world-") as folder:
            marks = marks_of(options.world, options.seed or 1, Path(folder), options.requests)
    for mark in sorted(marks, key=lambda one: one.score == Score.RIGHT):
        print(_line(mark))


def _line(mark: Mark) -> str:
    return f"{mark.score:10}  {mark.question:10}  {mark.note}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.accuracy", description="How often the answers are right.")
    parser.add_argument("--quick", action="store_true", help="about three minutes; else about half an hour")
    parser.add_argument("--seeds", type=int, default=0, help="how many systems of each mechanism")
    parser.add_argument("--seed", type=int, default=0, help="the first seed, or the one of --world")
    parser.add_argument("--world", choices=sorted(WORLDS), help="ask this one alone and print the answers")
    parser.add_argument("--requests", type=int, default=0, help="of --world")
    parser.add_argument("--keep", type=Path, help="of --world: leave its dumps and datasets in this folder")
    parser.add_argument("--real", type=Path, help="a folder of real faults (see bench/accuracy/real.py)")
    parser.add_argument("--jobs", type=int, default=0, help="processes at once; as many as there are cores")
    parser.add_argument("--to", type=Path, default=Path("docs/accuracy.md"), help="where the page goes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # DuckDB's bindings else complain at length
