"""When a model call gave its first token: the one rule for all code that asks.

A call may record it in seconds, in milliseconds, as an instant, or by an event when the token came; this is the order of
evidence. A figure longer than the call cannot be right: if it is far longer, it is in another unit, which the call's
duration determines; else it is wrong, and the next evidence counts.
"""

OTHER_UNIT = (
    10  # times as long as the call: a wrong figure or an inexact clock is less far off, another unit is farther
)
_THOUSANDS = (1e3, 1e6, 1e9)


def first_token_sql(seconds: str, milliseconds: str, at_ns: str, event_ns: str, start_ns: str, end_ns: str) -> str:
    """SQL for the ns from a call's start to its first token, NULL where nothing records it.

    The arguments are SQL of one call: `seconds` and `milliseconds` DOUBLE, the others whole numbers (ns since the epoch, all of
    one clock); NULL where the call does not record them.
    """
    took = f"(({end_ns}) - ({start_ns}))"
    said = [
        *(settled_sql(f"(({number}) * {size})", took) for number, size in ((seconds, "1e9"), (milliseconds, "1e6"))),
        *(_within(f"(({instant}) - ({start_ns}))", took) for instant in (at_ns, event_ns)),
    ]
    return f"coalesce({', '.join(said)})::BIGINT"


def instant_sql(text: str) -> str:
    """SQL for ISO 8601 text, in JSON's quotes or none, as ns since the epoch (HUGEINT: any year); without a time zone it is UTC."""
    plain = f"""trim({text}, '"')"""
    zone = f"regexp_matches({plain}, '[+-][0-9][0-9]:?[0-9][0-9]$')"  # what a cast to TIMESTAMP_NS passes over
    with_zone, without = (
        f"epoch_us(try_cast({plain} AS TIMESTAMPTZ))::HUGEINT * 1000",
        f"epoch_ns(try_cast({plain} AS TIMESTAMP_NS))::HUGEINT",
    )
    return f"CASE WHEN {zone} THEN {with_zone} ELSE {without} END"


def _within(ns: str, took: str) -> str:
    return f"CASE WHEN {ns} BETWEEN 0 AND {took} THEN {ns} END"


def settled_sql(ns: str, took: str) -> str:
    """SQL for a figure as it stands, or in the largest of the smaller units in which it is no longer than the call; else NULL."""
    smaller = " ".join(f"WHEN {ns} / {size} <= {took} THEN {ns} / {size}" for size in _THOUSANDS)
    return (
        f"CASE WHEN {ns} BETWEEN 0 AND {took} THEN {ns} WHEN {ns} > {OTHER_UNIT} * {took} THEN CASE {smaller} END END"
    )
