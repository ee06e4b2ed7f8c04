"""`make bench`: python -m bench [--spans N] [--minutes N]."""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.cold_start import cold_start
from bench.measure import Run, fastest, process

OVERBUDGET = [sys.executable, "-m", "overbudget.app.cli"]


def reference(name: str, *paths: Path) -> float:
    command = [sys.executable, "-m", "bench.references", name, *map(str, paths)]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="of twenty people at once on the dashboard; 0 for none"
    )
    options = parser.parse_args()
    console = Console(width=150 if not sys.stdout.isatty() else None)
    table = Table(title=f"{options.spans:,} spans, {options.repeats} runs, the fastest of each", title_justify="left")
    for column in ("what", "seconds", "spans/s", "MB/s", "peak MB", "reference", "ratio"):
        table.add_column(column, justify="left" if column in ("what", "reference") else "right")

    with tempfile.TemporaryDirectory(prefix="overbudget-bench-") as name:
        folder = Path(name)
        dumps = {}
        for kind, suffix in (("json", "jsonl"), ("protobuf", "binpb")):
            dumps[kind] = folder / f"dump.{suffix}"
            console.print(f"Generating {options.spans:,} spans as {kind} …", style="dim")
            process(
                [
                    sys.executable,
                    "-m",
                    "sample_traces",
                    "--scale",
                    str(options.spans),
                    "--format",
                    kind,
                    "--out",
                    str(dumps[kind]),
                ]
            )

        def add(what: str, run: Run, size: int | None, against: str, seconds: float | None) -> None:
            ratio = f"{run.seconds / seconds:.2f} ×" if seconds else ""
            rate = f"{size / run.seconds / 1e6:.0f}" if size else ""
            label = f"{against} {seconds:.2f} s" if seconds else against
            peak = f"{run.peak_mb:.0f}" if run.peak_mb else ""
            table.add_row(what, f"{run.seconds:.2f}", f"{options.spans / run.seconds:,.0f}", rate, peak, label, ratio)

        dataset = folder / "bench.duckdb"
        against = {"json": ("json.loads", "json_loads"), "protobuf": ("Python loop over the messages", "protobuf_loop")}
        for kind, dump in dumps.items():
            seconds = min(reference(against[kind][1], dump) for _ in range(options.repeats))
            command = [*OVERBUDGET, "ingest", str(dump), "--to", str(dataset)]
            run = fastest([process(command) for _ in range(options.repeats)])
            add(
                f"ingest {kind} ({dump.stat().st_size / 1e6:.0f} MB)",
                run,
                dump.stat().st_size,
                against[kind][0],
                seconds,
            )
            if kind == "json":
                unnest = reference("duckdb_unnest", dump, folder / "unnest.duckdb")
                add("  the same", run, dump.stat().st_size, "DuckDB read_json + unnest", unnest)

        quarter = folder / "quarter.binpb"
        process(
            [
                sys.executable,
                "-m",
                "sample_traces",
                "--scale",
                str(options.spans // 4),
                "--format",
                "protobuf",
                "--out",
                str(quarter),
            ]
        )
        small = process([*OVERBUDGET, "ingest", str(quarter), "--to", str(folder / "quarter.duckdb")])
        large = process([*OVERBUDGET, "ingest", str(dumps["protobuf"]), "--to", str(dataset)])
        table.add_row(
            "memory of a dump 4 times as large",
            "",
            "",
            "",
            f"{large.peak_mb:.0f}",
            f"a quarter: {small.peak_mb:.0f} MB",
            f"{large.peak_mb / small.peak_mb:.2f} ×",
        )

        kernels = float(
            subprocess.run(
                [sys.executable, "-m", "bench.kernels", str(dataset)], check=True, stdout=subprocess.PIPE, text=True
            ).stdout
        )
        add("trees, critical path and stages, warm", Run(kernels, 0), None, "aim: under 1 s for 1 million", None)
        review = fastest([process([*OVERBUDGET, "review", str(dataset), "--json"]) for _ in range(options.repeats)])
        add("review, whole process", review, None, "aim: under 3 s for 1 million", None)
        for command in (["tail", str(dataset)], ["whatif", str(dataset), "--scale", "inference=0.5"]):
            run = fastest([process([*OVERBUDGET, *command, "--json"]) for _ in range(options.repeats)])
            add(f"{command[0]}, whole process", run, None, "aim: under 2 s for 1 million", None)
        pages, many = folder / "requests.jsonl", folder / "requests.duckdb"  # ten spans a request: 100,000 of a million
        scale = ["--scale", str(options.spans), "--per-request", "10", "--out", str(pages)]
        process([sys.executable, "-m", "sample_traces", *scale])
        process([*OVERBUDGET, "ingest", str(pages), "--to", str(many)])
        shown = subprocess.run(
            [sys.executable, "-m", "bench.browser", str(many)], check=True, stdout=subprocess.PIPE, text=True
        )
        browser = json.loads(shown.stdout)
        add("first page in the browser", Run(browser["first"], 0), None, "aim: under 3 s for 1 million", None)
        for page, seconds in browser.items():
            if page != "first":
                add(f"page {page} changed", Run(seconds, 0), None, "aim: under 0.5 s", None)
        if options.minutes:
            together = ["--minutes", str(options.minutes), "--dataset", str(many)]
            subprocess.run([sys.executable, "-m", "bench.users", *together], check=True)
    first, size = cold_start()
    aim = f"{first.cpu_seconds:.1f} CPU s; aim: under 15, and 10 s"
    label = f"first ingest and review, nothing compiled ({size / 1e6:.0f} MB)"
    table.add_row(label, f"{first.seconds:.2f}", "", "", f"{first.peak_mb:.0f}", aim, "")
    console.print(table)


if __name__ == "__main__":
    main()
