"""`make samples`: python -m sample_traces [--list] [--only NAME] [--out DIR] | --scale N --format json --out FILE."""

import argparse
import json
from pathlib import Path

from overbudget.sample_traces.scenarios import SCENARIOS, Scenario, budget_toml, simulate, truth
from overbudget.sample_traces.writing import gzipped, json_lines, length_prefixed

DUMPS = Path(__file__).parent / "dumps"
AS_PROTOBUF = ("slow_database_tenant", "streamed_answers")  # these come in both encodings


def files_of(scenario: Scenario) -> dict[str, bytes]:
    """Every file of a scenario by name: its dumps, its ground truth, its budget."""
    run = simulate(scenario)
    files = {
        f"{scenario.name}.otlp.jsonl.gz": gzipped(json_lines(run.spans)),
        f"{scenario.name}.truth.json": (json.dumps(truth(run), indent=2, ensure_ascii=False) + "\n").encode(),
        f"{scenario.name}.budget.toml": budget_toml(scenario).encode(),
    }
    if scenario.name in AS_PROTOBUF:
        files[f"{scenario.name}.otlp.binpb.gz"] = gzipped(length_prefixed(run.spans))
    return files


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m sample_traces", description="Write the sample dumps, or a large one for benchmarks."
    )
    parser.add_argument("--list", action="store_true", help="list the scenarios")
    parser.add_argument("--only", choices=[scenario.name for scenario in SCENARIOS], help="write only this scenario")
    parser.add_argument("--out", type=Path, default=DUMPS, help="the folder, or with --scale the file, to write")
    parser.add_argument("--scale", type=int, help="write one dump of at least this many spans")
    parser.add_argument(
        "--format", choices=("json", "protobuf"), default="json", help="of the dump that --scale writes"
    )
    parser.add_argument("--per-request", type=int, help="at most so many spans for each request, with --scale")
    options = parser.parse_args()
    if options.list:
        for scenario in SCENARIOS:
            print(f"{scenario.name}: {scenario.story}")
    elif options.scale:
        from overbudget.sample_traces.scale import write

        print(f"{options.out}: {write(options.out, options.scale, options.format, options.per_request):,} spans")
    else:
        options.out.mkdir(parents=True, exist_ok=True)
        for scenario in SCENARIOS:
            if options.only in (None, scenario.name):
                for name, data in files_of(scenario).items():
                    (options.out / name).write_bytes(data)
                    print(f"{options.out / name}: {len(data):,} bytes")


if __name__ == "__main__":
    main()
