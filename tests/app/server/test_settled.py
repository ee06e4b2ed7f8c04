"""A server that has settled: pages find what they import, and the garbage collector has little to search."""

import subprocess
import sys

from overbudget.app.server.serve import CONFIG

# in a process of its own: what is frozen stays so
SETTLED = """
import gc, sys
import streamlit
from overbudget.app.server.settled import settle
settle()
scripts = [name for name in sys.modules if name.startswith(("overbudget.app.dashboard.views.", "overbudget.app.dashboard.main"))]
assert not scripts, scripts
for name in ("pandas", "plotly.graph_objects", "overbudget.analysis.advice.advice", "overbudget.app.dashboard.blocks"):
    assert name in sys.modules, name
assert gc.get_freeze_count() > 100_000, gc.get_freeze_count()
assert len(gc.get_objects()) < 20_000, len(gc.get_objects())
first, second, third = gc.get_threshold()
assert first * second * third < 10_000_000  # garbage in circles does not wait for ever
"""


def test_what_all_pages_need_is_loaded_and_never_searched_for_garbage() -> None:
    done = subprocess.run([sys.executable, "-c", SETTLED], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_no_answer_ends_with_a_search_of_all_memory() -> None:
    from streamlit import config

    assert CONFIG["runner.postScriptGC"] is False
    assert config.get_option("runner.postScriptGC") is True  # the option is there, and on unless it is turned off
