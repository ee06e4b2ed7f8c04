"""Write every page that is made from the code: python -m scripts.write_docs (make docs).

tests/test_docs.py fails where a page is not what it would be made now. Run this and commit what changed.
"""

from collections.abc import Callable
from pathlib import Path

from scripts.pages import commands, cookbook, relations, warnings

ROOT = Path(__file__).parent.parent
PAGES: dict[str, Callable[[], str]] = {
    "docs/cookbook.md": cookbook.page,
    "docs/reference/commands.md": commands.page,
    "docs/reference/relations.md": relations.page,
    "docs/reference/warnings.md": warnings.page,
}


def main() -> None:
    """Write those pages that changed, and say which."""
    for name, page in PAGES.items():
        path, text = ROOT / name, page()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")


if __name__ == "__main__":
    main()
