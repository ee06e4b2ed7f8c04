"""The enumerations of OTLP by number, as the protocol numbers them: one table for readers, rules and exports."""

KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
STATUS_CODES = ("UNSET", "OK", "ERROR")


def number_of(name: str, names: tuple[str, ...]) -> int:
    """The number of `name` in `names`; a number the protocol does not know yet is kept as text, and is that number."""
    return names.index(name) if name in names else int(name)
