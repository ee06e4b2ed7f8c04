"""Where what is made once on a machine is kept: machine code, and a dataset without a row."""

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """OVERBUDGET_CACHE_DIR, or overbudget/ in the user's cache folder."""
    if given := os.environ.get("OVERBUDGET_CACHE_DIR"):
        return Path(given)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "overbudget"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "overbudget"
