"""Say in one sentence what to type if this Python cannot create the environment."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - the point is to run on an old Python
    sys.exit(
        "overbudget needs Python 3.11 or newer; this is {}.{}. Try: make PYTHON=python3.12 run".format(
            *sys.version_info
        )
    )
try:
    import ensurepip  # noqa: F401
    import venv  # noqa: F401
except ImportError:
    sys.exit(
        "This Python cannot create virtual environments. On Debian or Ubuntu type: sudo apt-get install python3-venv"
    )
