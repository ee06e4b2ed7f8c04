"""The packages of the distribution: every folder below those that pyproject.toml maps, under the one name `overbudget`."""

import tomllib
from pathlib import Path

from setuptools import find_packages, setup

folders = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["package-dir"]
setup(
    packages=[
        package
        for name, folder in folders.items()
        for package in (name, *(f"{name}.{below}" for below in find_packages(folder)))
    ]
)
