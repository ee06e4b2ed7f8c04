"""Signs beside colours."""

MARKS: dict[str | None, str] = {"over": "▲ ", "at_risk": "◆ "}  # a sign beside the colour, never colour alone
