"""The container file keeps the rules of its kind (the daemon that would build it is not everywhere)."""

import json
import re
import tomllib
from pathlib import Path

from overbudget.app.server.access.settings import Access

ROOT = Path(__file__).parents[1]
LINES = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", "").splitlines()
STEPS = [(one.split()[0], one.split(maxsplit=1)[1].strip()) for one in LINES if one and not one.startswith("#")]


def of(kind: str) -> list[str]:
    return [what for name, what in STEPS if name == kind]


def test_it_starts_from_one_image_of_a_version_that_is_supported() -> None:
    (image,) = of("FROM")
    version = re.fullmatch(r"python:(3\.\d+)-slim", image)
    assert version is not None
    assert f'"{version[1]}"' in (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")


def test_it_runs_as_a_user_who_is_not_root_and_owns_what_is_written() -> None:
    kinds = [name for name, _ in STEPS]
    (user,) = of("USER")
    assert user == "10001"
    assert any(f"--uid {user} overbudget" in step for step in of("RUN"))
    assert any('chown -R overbudget /workspace "$OVERBUDGET_CACHE_DIR"' in step for step in of("RUN"))
    assert not any(step.startswith("pip") for name, step in STEPS[kinds.index("USER") :] if name == "RUN")


def test_it_installs_pinned_versions_and_keeps_no_cache_of_them() -> None:
    installs = [step for step in of("RUN") if "pip install" in step]
    assert len(installs) == 2
    assert installs[0] == "pip install -r requirements.lock"
    assert installs[1].startswith("pip install --no-deps ./source && rm -rf source")
    assert "PIP_NO_CACHE_DIR=1" in " ".join(of("ENV"))
    assert not any(word in " ".join(of("RUN")) for word in ("sudo", "curl", "wget", "apt-get", "ADD"))


def test_its_commands_are_lists_so_that_signals_reach_the_server() -> None:
    assert json.loads(of("ENTRYPOINT")[0]) == ["overbudget"]
    assert json.loads(of("CMD")[-1]) == ["--help"]  # to serve, one says how people sign in
    check = of("HEALTHCHECK")[0]
    assert json.loads(check[check.index("CMD") + 3 :])[0] == "python"


def test_its_port_and_folders_are_those_of_the_server() -> None:
    assert of("EXPOSE") == [str(Access().port)]
    assert f"('127.0.0.1', {Access().port})" in of("HEALTHCHECK")[0]
    assert of("VOLUME") == ["/workspace"]


def test_nothing_that_is_copied_is_ignored_and_no_data_or_history_is_copied() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed = {"README.md", "LICENSE", "pyproject.toml", "setup.py", "requirements.lock"}
    needed |= {folder.split("/")[0] for folder in build["tool"]["setuptools"]["package-dir"].values()}
    assert all((ROOT / name).exists() for name in needed)
    assert needed.isdisjoint(ignored)
    assert {".git", ".venv", "workspace", "**/*.duckdb"} <= set(ignored)
