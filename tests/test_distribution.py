"""The wheel: one package, small, complete; installed beside packages of the same names as its rooms it does its job."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SAMPLE = "slow_database_tenant"
LARGEST = 6_000_000  # bytes; samples are most of it
BUILT_FROM = ("pyproject.toml", "setup.py", "README.md", "LICENSE")

# What `import` refuses where a core of overbudget is all that is installed.
CORE_ONLY = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("streamlit", "starlette", "plotly", "pandas", "scipy"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Refuse())
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `make dist` does, from a copy: a build leaves folders behind."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    rooms = (ROOT / name for name in ("api", *(p.name for p in ROOT.iterdir() if (p / "__init__.py").is_file())))
    for room in rooms:
        if room.name not in ("bench", "tests"):
            shutil.copytree(room, source / room.name, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    for name in BUILT_FROM:
        shutil.copy(ROOT / name, source)
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", out, source])
    assert len(list(out.glob("overbudget-*.tar.gz"))) == 1
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of an environment that has the wheel, and borrows what it depends on."""
    environment = tmp_path_factory.mktemp("environment")
    run([sys.executable, "-m", "venv", "--without-pip", environment])
    (site,) = environment.glob("lib/python*/site-packages")
    borrowed = [entry for entry in sys.path if entry.endswith("site-packages")]
    (site / "borrowed.pth").write_text("\n".join(borrowed) + "\n")  # their own .pth files are not read
    python = environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", "install", "--quiet"]
    run([*pip, "--no-index", "--no-deps", "--ignore-installed", wheel])
    return environment / "bin"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with packages named as the rooms are."""
    folder = tmp_path_factory.mktemp("theirs")
    for room in ("app", "store", "analysis", "ingest", "kernels", "stages", "api"):
        (folder / room).mkdir()
        (folder / room / "__init__.py").write_text("raise SystemExit('the package of somebody else was imported')\n")
    return folder


@pytest.fixture(scope="module")
def samples(installed: Path) -> Path:
    code = "import overbudget.sample_traces as samples; print(samples.__path__[0])"
    return Path(run([installed / "python", "-c", code]).strip()) / "dumps"


@pytest.fixture(scope="module")
def dataset(installed: Path, hostile: Path, samples: Path) -> Path:
    dump = samples / f"{SAMPLE}.otlp.jsonl.gz"
    said = run([installed / "overbudget", "ingest", dump, "--to", "traces.duckdb"], hostile)
    assert "420 requests" in said
    return hostile / "traces.duckdb"


def run(command: list[str | Path], folder: Path | None = None) -> str:
    done = subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_wheel_holds_one_package_and_every_file_of_it(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"overbudget"}
    for room in ("app", "store", "analysis", "ingest", "kernels", "stages"):
        for path in (ROOT / room).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert f"overbudget/{path.relative_to(ROOT)}" in names
    assert {"overbudget/py.typed", "overbudget/__init__.py", "overbudget/answers/review.py"} <= names


def test_the_wheel_is_small_and_has_the_samples(wheel: Path) -> None:
    assert wheel.stat().st_size < LARGEST
    names = [name for name in zipfile.ZipFile(wheel).namelist() if "/dumps/" in name]
    assert f"overbudget/sample_traces/dumps/{SAMPLE}.otlp.jsonl.gz" in names
    assert len([name for name in names if name.endswith(".truth.json")]) >= 7
    assert not [name for name in names if name.endswith(".binpb.gz")]  # the same spans once more


def test_the_main_job_is_done_beside_packages_of_the_same_names(
    installed: Path, hostile: Path, samples: Path, dataset: Path
) -> None:
    budget = samples / f"{SAMPLE}.budget.toml"
    said = run([installed / "overbudget", "review", dataset, "--budget", budget], hostile)
    assert "over its cap of" in said
    assert "`SELECT docs` waiting for `docs-db`" in said
    code = f"import overbudget; print(overbudget.open({str(dataset)!r}).review({str(budget)!r}))"
    for sentence in run([installed / "python", "-c", code], hostile).splitlines()[:2]:
        assert sentence in said
    where = run([installed / "python", "-c", "import overbudget; print(overbudget.__file__)"], hostile)
    assert where.startswith(str(installed.parent))


def test_the_core_needs_no_dashboard_libraries(
    installed: Path, hostile: Path, samples: Path, dataset: Path, tmp_path: Path
) -> None:
    budget = str(samples / f"{SAMPLE}.budget.toml")
    d, out, dump = str(dataset), str(tmp_path / "report.html"), str(samples / "healthy.otlp.jsonl.gz")
    commands = [
        ["ingest", dump, "--to", str(tmp_path / "healthy.duckdb")], ["review", d, "--budget", budget],
        ["review", d, "--json"], ["review", d, "--markdown"], ["review", d, "--budget", budget, "--html", out],
        ["check", d, "--budget", budget], ["compare", d, str(tmp_path / "healthy.duckdb")], ["tail", d], ["load", d],
        ["consistency", d], ["audit", d], ["advise", d], ["whatif", d, "--scale", "inference=0.5"],
        ["sql", d, "SELECT count(*) FROM requests"], ["sql", d, "FROM requests LIMIT 3", "--json"],
        ["export", d, "--parquet", str(tmp_path / "parquet")], ["--version"],
    ]  # fmt: skip
    code = f"""{CORE_ONLY}
from typer.testing import CliRunner
from overbudget.app.cli import app
for command in {commands!r}:
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == (1 if command[0] == "check" else 0), (command, done.output)
import overbudget
traces = overbudget.open({d!r})
print(traces.review({budget!r})._repr_html_())
for ask in (traces.tail().frame, traces.tail().figure, lambda: traces.sql("SELECT 1")):
    try:
        ask()
    except overbudget.OverbudgetError as error:
        print(error)
"""
    said = run([installed / "python", "-c", code], hostile)
    assert said.count("pip install 'overbudget[notebook]'") == 3
    assert "<table>" in said


def test_serve_says_which_extra_it_needs(installed: Path, hostile: Path) -> None:
    code = f"{CORE_ONLY}\nfrom overbudget.app.cli import main\nsys.argv = ['overbudget', 'serve', '--port', '{free_port()}']\nmain()"
    done = subprocess.run([installed / "python", "-c", code], cwd=hostile, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == (
        "overbudget serve needs streamlit, which is not installed. "
        "Install it with: pip install 'overbudget[dashboard]'\n"
    )


@pytest.fixture
def server(installed: Path, hostile: Path, tmp_path: Path, samples: Path) -> Iterator[str]:
    port = free_port()
    for name in samples.glob("*.truth.json"):  # so that no sample is made
        told = json.loads(name.read_text())["name"]
        shutil.copy(hostile / "traces.duckdb", tmp_path / f"sample-{told}.duckdb")
    log = (tmp_path / "log").open("wb")
    serve = [installed / "overbudget", "serve", "--workspace", tmp_path, "--port", str(port)]
    with subprocess.Popen(serve, cwd=hostile, stdout=log, stderr=log, start_new_session=True) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            while not answers(url):
                assert process.poll() is None, (tmp_path / "log").read_text()
            yield url
        finally:
            os.killpg(process.pid, signal.SIGTERM)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    """Whether anybody does; where nobody listens yet a moment passes."""
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        threading.Event().wait(0.1)
        return False


def test_the_first_page_is_served(dataset: Path, server: str) -> None:
    with urllib.request.urlopen(f"{server}/", timeout=20) as page:
        assert page.status == 200
        assert b"<html" in page.read().lower()
    with urllib.request.urlopen(f"{server}/_stcore/health", timeout=20) as health:
        assert (health.status, health.read()) == (200, b"ok")
