"""Record the frameworks anew: python -m tests.frameworks.record [NAME …] (make frameworks).

Each gets an environment of its own in a folder of the user's cache, runs its script against a model provider on this machine,
and its spans become recorded/NAME.jsonl.gz.
"""

import argparse
import gzip
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.frameworks.recording.environments import RECORDINGS, Recording
from tests.frameworks.recording.model_server import serve

HERE = Path(__file__).parent
SCRIPTS, RECORDED = HERE / "recording" / "scripts", HERE / "recorded"
LONGEST, KEPT = (
    2_000,
    100,
)  # characters of a text; of longer ones, which are instructions that others wrote, the beginning is kept
TIMEOUT_S = 300


def main() -> None:
    """Record those that are named, or all; one that fails is told, and its older recording stays."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="*")
    parser.add_argument("--environments", type=Path, default=Path.home() / ".cache" / "overbudget-frameworks")
    options = parser.parse_args()
    addresses = {slower: serve(slower) for slower in {recording.slower for recording in RECORDINGS}}
    for recording in RECORDINGS:
        if not options.name or recording.name in options.name:
            print(
                recording.name,
                record(recording, options.environments / recording.name, addresses[recording.slower]),
                flush=True,
            )


def record(recording: Recording, environment: Path, address: str) -> str:
    """Run a script in its environment and keep what it recorded; what came of it."""
    prepare = _javascript if recording.script.endswith(".mjs") else _python
    if isinstance(command := prepare(recording, environment), str):
        return f"not installed: {command}"
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.jsonl"
        if said := _run([*command, str(out), address, recording.argument], folder):
            return f"failed: {said}"
        documents = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    if not documents:
        return "recorded nothing"
    lines = [json.dumps(_shortened(document), ensure_ascii=False) for document in documents]
    with (RECORDED / f"{recording.name}.jsonl.gz").open("wb") as file:
        file.write(gzip.compress("\n".join(lines).encode() + b"\n", mtime=0))
    return f"{len(lines)} records"


def _python(recording: Recording, environment: Path) -> list[str] | str:
    """How to run the script, or why its libraries are not there."""
    python = environment / "bin" / "python"
    if not python.exists():
        _run(["uv", "venv", "-q", "--python", sys.executable, str(environment)])
        if said := _run(["uv", "pip", "install", "-q", "--python", str(python), *recording.packages]):
            return said
    return [str(python), str(SCRIPTS / f"{recording.script}.py")]


def _javascript(recording: Recording, environment: Path) -> list[str] | str:
    script = environment / recording.script
    if not script.exists():
        environment.mkdir(parents=True, exist_ok=True)
        quiet = ["--silent", "--no-audit", "--no-fund"]
        if said := _run(["npm", "install", *quiet, "--prefix", str(environment), *recording.packages]):
            return said
    shutil.copyfile(SCRIPTS / recording.script, script)  # modules are looked for from where a script is
    return ["node", str(script)]


def _run(command: list[str], folder: str | None = None) -> str:
    """The end of what a command says where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, cwd=folder, check=False)
    except subprocess.TimeoutExpired:
        return "too slow"
    return "" if done.returncode == 0 else " ".join((done.stderr or done.stdout or "no reason").split())[-600:]


def _shortened(part: Any) -> Any:
    """Without long texts: what they say is not needed, and is other people's."""
    if isinstance(part, dict):
        return {key: _shortened(value) for key, value in part.items()}
    if isinstance(part, list):
        return [_shortened(one) for one in part]
    return f"{part[:KEPT]}…" if isinstance(part, str) and len(part) > LONGEST else part


if __name__ == "__main__":
    main()
