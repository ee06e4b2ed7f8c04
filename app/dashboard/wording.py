"""Untrusted text in Streamlit's elements, which read Markdown: a name in a dump must neither format, link nor load anything."""


def literal(text: object) -> str:
    """Text as Markdown that shows just this text."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]()<>#+-!|$~:" else c for c in str(text))
