"""Write docs/reference/warnings.md from ingest/warnings.py: python scripts/write_warnings.py."""

from pathlib import Path

from overbudget.ingest.warnings import WARNINGS

TARGET = Path(__file__).parent.parent / "docs" / "reference" / "warnings.md"


def page() -> str:
    """The page as Markdown."""
    lines = [
        "# What ingest reports about a dump",
        "",
        "Each warning has a stable code, a count and an example (`ingest_report.warnings`).",
        "",
    ]
    lines += ["| code | means | what to do |", "| --- | --- | --- |"]
    lines += [f"| `{code}` | {said.means} | {said.remedy or 'nothing'} |" for code, said in sorted(WARNINGS.items())]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
