"""Make sure the browser tests have a Chromium: use the system's, else install one, else say what to type."""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"

if any(shutil.which(name) for name in NAMES) or os.path.exists(MAC):
    sys.exit(0)

if shutil.which("apt-get"):
    print("The browser tests need Chromium: installing Debian's package.")
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    if not sudo or shutil.which("sudo"):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        commands = (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "chromium", "fonts-dejavu-core"])
        if all(
            subprocess.run([*sudo, *command], env=quiet, stdout=subprocess.DEVNULL).returncode == 0
            for command in commands
        ):
            sys.exit(0)
    sys.exit("Chromium could not be installed. Type: sudo apt-get install chromium fonts-dejavu-core")

if subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"]).returncode != 0:
    sys.exit("The browser tests need Chromium or Google Chrome: install one, then run make test again.")
