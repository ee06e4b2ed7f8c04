"""make frameworks: python -m scripts.record_formats. Each library comes into an environment of its own, below build/frameworks/.

Needs the network, and Node.js for what JavaScript prints. The versions are those the fixtures were recorded with last.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FIXTURES = HERE.parents[1] / "tests" / "data" / "formats"
ENVIRONMENTS = HERE.parents[1] / "build" / "frameworks"
PYTHON = {  # script: what it needs
    "langsmith_runs.py": ("langsmith==0.15.1",),
    "mlflow_traces.py": ("mlflow-skinny==3.17.2",),
}
JAVASCRIPT = (
    "@opentelemetry/api@1", "@opentelemetry/sdk-trace-base@2", "@opentelemetry/resources@2", "@opentelemetry/otlp-transformer@0",
)  # fmt: skip


def main() -> None:
    FIXTURES.mkdir(parents=True, exist_ok=True)
    for script, packages in PYTHON.items():
        folder = ENVIRONMENTS / Path(script).stem
        python = folder / "bin" / "python"
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            subprocess.run(
                [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages], check=True
            )
        store = {"MLFLOW_TRACKING_URI": f"file:{folder / 'mlruns'}", "MLFLOW_ALLOW_FILE_STORE": "true"}
        subprocess.run(
            [python, HERE / script, FIXTURES],
            check=True,
            cwd=folder,
            env={**os.environ, **store, "LANGSMITH_TRACING": "false"},
        )
        print(f"recorded {script}")
    folder = ENVIRONMENTS / "javascript"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "node_modules").exists():
        subprocess.run(["npm", "install", "--silent", *JAVASCRIPT], check=True, cwd=folder)
    shutil.copy(HERE / "javascript_console.mjs", folder / "record.mjs")
    subprocess.run(["node", "record.mjs", FIXTURES], check=True, cwd=folder)
    print("recorded javascript_console.mjs")


if __name__ == "__main__":
    main()
