"""docs/reference/warnings.md, made from ingest/warnings.py."""

from overbudget.ingest.warnings import WARNINGS


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
