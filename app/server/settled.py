"""A server that stays quick while many look: what all pages need is loaded at once, and never searched for garbage again."""

import gc
import importlib
import pkgutil
import sys

PACKAGES = ("overbudget.analysis", "overbudget.app.charts", "overbudget.app.dashboard")
SCRIPTS = (
    "overbudget.app.dashboard.main",
    "overbudget.app.dashboard.views",
)  # which Streamlit runs, and nobody imports
SWITCH_S = (
    0.001  # how long one answer computes before another may go on: each of a page's sixty messages waits for its turn
)
THRESHOLDS = (50_000, 10, 10)  # the command line collects hardly ever, which a server that stays must


def settle() -> None:
    """Import what pages import, and take all objects there are now out of what is searched for garbage.

    Half a million objects stay for as long as the server runs: a collection took 150 ms, during which nobody was answered.
    """
    sys.setswitchinterval(SWITCH_S)
    for package in PACKAGES:
        _load(package)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)


def _load(package: str) -> None:
    for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        if not found.name.startswith(SCRIPTS):
            importlib.import_module(found.name)
