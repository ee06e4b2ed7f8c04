"""Untrusted text in Streamlit's elements, which read Markdown: a name in a dump must neither format, link nor load anything."""

import re

_MARKDOWN = re.compile(r"[\\`*_{}\[\]()<>#+\-!|$~]|:(?=\S)")


def literal(text: object) -> str:
    """Text as Markdown that shows just this text."""
    return _MARKDOWN.sub(r"\\\g<0>", str(text))
