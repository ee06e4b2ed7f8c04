"""docs/reference/formats.md, made from ingest/formats/catalogue.py."""

from overbudget.ingest.formats.catalogue import FORMATS


def page() -> str:
    """The page as Markdown."""
    lines = [
        "# Formats of dumps",
        "",
        "`overbudget ingest` recognises a dump from its content, whatever its name, plain or in gzip, zstd, zip and tar; JSON as lines, ",
        "arrays, pretty-printed or documents one after the other. `overbudget ingest --formats` prints this list.",
        "",
        "Ids may be any text: dashes of a UUID are dropped, missing zeros put in front; any other text gets an id made from it and is kept",
        "in the attributes `recorded.trace_id` and `recorded.span_id`. `overbudget trace` finds a trace by its id in the dump.",
        "",
        "## Read",
        "",
        "| format | comes from | what it does not carry |",
        "| --- | --- | --- |",
    ]
    lines += [f"| {one.title} | {one.from_what} | {one.lacks or '–'} |" for one in FORMATS if one.is_read]
    lines += ["", "## Recognised and refused", "", "| format | comes from | what to do |", "| --- | --- | --- |"]
    lines += [f"| {one.title} | {one.from_what} | {one.instead} |" for one in FORMATS if not one.is_read]
    return "\n".join(line.rstrip() for line in lines) + "\n"
