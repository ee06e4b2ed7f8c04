"""How deep the nesting of JSON is followed."""

DEEPEST = 200  # levels of a document that are followed: parsers give up at 1,024, and what writes JSON at 254
LEFT_OUT = f"a value nested more than {DEEPEST} levels deep; what is deeper is left out"  # for a warning
