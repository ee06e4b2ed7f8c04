"""Names, counts and lists within sentences, the same in every answer."""

from typing import TYPE_CHECKING

from overbudget.stages.names import FIRST_TOKEN, TOTAL, UNATTRIBUTED, part_of

if TYPE_CHECKING:
    from overbudget.analysis.review.result import CauseOperation
    from overbudget.analysis.review.rows import PercentileRow

LONGEST_NAME = 60
PART_WORDS = {
    "first_token": "waiting for the first token",
    "writing": "writing",
    "prefill": "reading the prompt",
    "decode": "decoding",
}


def clean(text: str, instead: str = "�") -> str:
    """Text without line breaks, control and direction characters: names from the data are untrusted."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else instead for c in text)


def quoted(name: str) -> str:
    """A name from the data as text in a sentence: one line, not too long, in backquotes."""
    plain = " ".join(clean(name, " ").replace("`", "'").split())
    if len(plain) > LONGEST_NAME:
        plain = plain[: LONGEST_NAME - 1] + "…"
    return f"`{plain or '(no name)'}`"


def count(n: int, what: str) -> str:
    """`1 request`, `3,000 requests`."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def percent(share: float) -> str:
    """`60%`, `3.2%`, `0.04%`: two figures where it is small."""
    return f"{share:.0%}" if share >= 0.1 or share == 0 else f"{share * 100:.2g}%"


def listed(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


WHOLE = {TOTAL: "the whole request", FIRST_TOKEN: "the first token"}  # within a sentence: what is no stage


def stage_name(stage: str) -> str:
    """A stage, or a part of one, within a sentence."""
    whole = part_of(stage)
    if whole is not None:
        return f"{PART_WORDS[stage.removeprefix(f'{whole}.')]} in {whole}"
    return "unattributed time" if stage == UNATTRIBUTED else stage


def operation_name(operation: "CauseOperation") -> str:
    """An operation in a table: its service, and for a hop where it goes."""
    hop = f" → {quoted(operation.hop_to)}" if operation.hop_to else ""
    return f"{quoted(operation.name)} in {quoted(operation.service_name)}{hop}"


def operation_text(operation: "CauseOperation") -> str:
    waiting = f" waiting for {quoted(operation.hop_to)}" if operation.hop_to else ""
    return f"{quoted(operation.name)} in {quoted(operation.service_name)}{waiting}"


def needs(rows: list["PercentileRow"]) -> str:
    return ", ".join(f"p{row.percentile} ({row.n:,}; needs {row.needs or 0:,})" for row in rows)
