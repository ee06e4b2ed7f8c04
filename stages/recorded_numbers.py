"""Numbers that attributes record, as SQL: what stands there came from outside, and may be no number that can be meant."""

MOST_TOKENS = 10**12  # of one call: no context and no answer is near it, and sums of such numbers stay within 64 bits


def tokens_sql(text: str) -> str:
    """SQL for a count of tokens that the SQL `text` records; NULL where it is none, negative, or beyond MOST_TOKENS."""
    count = f"try_cast({text} AS BIGINT)"
    return f"CASE WHEN {count} BETWEEN 0 AND {MOST_TOKENS} THEN {count} END"


def amount_sql(text: str) -> str:
    """SQL for the DOUBLE that the SQL `text` records as an amount; NULL where it is none, NaN, infinite or negative."""
    number = number_sql(text)
    return f"CASE WHEN {number} >= 0 THEN {number} END"


def number_sql(text: str) -> str:
    """SQL for the DOUBLE that the SQL `text` records; NULL where it is none, NaN or infinite."""
    number = f"try_cast({text} AS DOUBLE)"
    return f"CASE WHEN isfinite({number}) THEN {number} END"
