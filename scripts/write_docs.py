"""Write every page that is made from the code: python -m scripts.write_docs (make docs).

tests/test_docs.py fails where a page is not what it would be made now. Run this and commit what changed.
"""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from scripts.pages import (
    budget_page,
    budget_schema,
    commands,
    cookbook,
    formats,
    frameworks,
    json_page,
    limits,
    python_api,
    relations,
    warnings,
)
from scripts.pages.json_answers import Answers, read_answers
from scripts.pages.json_schemas import schema_of, without_meaning

ROOT = Path(__file__).parent.parent
PAGES: dict[str, Callable[[], str]] = {
    "app/schemas/budget.schema.json": budget_schema.text,
    "docs/sql.md": cookbook.page,
    "docs/reference/budget-file.md": budget_page.page,
    "docs/reference/commands.md": commands.page,
    "docs/reference/formats.md": formats.page,
    "docs/reference/frameworks.md": frameworks.page,
    "docs/reference/json.md": json_page.page,
    "docs/reference/limits.md": limits.page,
    "docs/reference/python.md": python_api.page,
    "docs/reference/relations.md": relations.page,
    "docs/reference/warnings.md": warnings.page,
}


def schemas(answers: Answers) -> Iterator[tuple[Path, str]]:
    """The schema of every command's JSON: where it is kept, and its text."""
    for command in json_page.COMMANDS:
        schema = schema_of(command, answers[command])
        yield json_page.file_of(command), json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write what changed, and say what; then say what has no meaning yet."""
    with tempfile.TemporaryDirectory() as folder:
        for path, text in schemas(read_answers(Path(folder))):
            _write(path, text)
    for name, page in PAGES.items():
        _write(ROOT / name, page())
    for command in json_page.COMMANDS:
        schema = json.loads(json_page.file_of(command).read_text(encoding="utf-8"))
        for path in without_meaning(command, schema):
            print(f"scripts/pages/json_meanings.py does not say what {path} means", flush=True)


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}", flush=True)


if __name__ == "__main__":
    main()
    os._exit(0)  # DuckDB's bindings complain about themselves when Python is taken apart
