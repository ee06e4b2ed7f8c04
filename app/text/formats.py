"""The formats of dumps, as text."""

from overbudget.ingest.formats.catalogue import FORMATS


def formats_text() -> str:
    """What `overbudget ingest --formats` prints: every format by name, where it comes from, what it lacks or what to do."""
    lines = ["Read, each recognised from its content, plain or in gzip, zstd, zip and tar:"]
    lines += [
        f"  {one.title}: {one.from_what}" + (f" (lacks {one.lacks})" if one.lacks else "") + "."
        for one in FORMATS
        if one.is_read
    ]
    lines += ["", "Recognised and refused, with what to do instead:"]
    lines += [f"  {one.title}: {one.instead}." for one in FORMATS if not one.is_read]
    return "\n".join(lines)
