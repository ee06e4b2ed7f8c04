"""Make the checkout importable as `overbudget`: a folder of links, one per room, on the environment's path.

An editable install maps packages to folders by code that runs at import, which type checkers and editors do not
follow. They do follow links, and new files are visible at once. The map is that of pyproject.toml.
"""

import os
import sysconfig
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def link(environment: Path) -> Path:
    """Make links in `environment`/package, and the path file that puts them first; returns the folder of links."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    folders: dict[str, str] = settings["tool"]["setuptools"]["package-dir"]
    package = environment / "package" / "overbudget"
    package.mkdir(parents=True, exist_ok=True)
    for old in package.iterdir():
        old.unlink()
    for name, folder in folders.items():
        if name == "overbudget":
            for file in sorted((ROOT / folder).iterdir()):
                if file.name != "__pycache__":
                    (package / file.name).symlink_to(os.path.relpath(file, package))
        else:
            (package / name.removeprefix("overbudget.")).symlink_to(os.path.relpath(ROOT / folder, package))
    return package.parent


def main() -> None:
    """Link into the environment that runs this."""
    environment = Path(sysconfig.get_path("data"))
    site = Path(sysconfig.get_path("purelib"))
    (site / "_overbudget_links.pth").write_text(f"{link(environment)}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
