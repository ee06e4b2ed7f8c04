"""Sentences as HTML."""

import re
from html import escape


def prose(text: str) -> str:
    """`text` escaped, with names in backquotes as code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text))
