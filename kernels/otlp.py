"""The enumerations of OTLP by number, as the protocol numbers them: one table for readers, rules and exports."""

KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
STATUS_CODES = ("UNSET", "OK", "ERROR")
KIND_NUMBERS = {name: number for number, name in enumerate(KINDS)}
CODE_NUMBERS = {name: number for number, name in enumerate(STATUS_CODES)}


def number_of(name: str, names: tuple[str, ...]) -> int:
    """The number of `name` in `names`. A number that the protocol does not define yet is stored as text: that number."""
    return names.index(name) if name in names else int(name)
