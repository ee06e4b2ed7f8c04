"""Signs that go with colours."""

MARKS: dict[str | None, str] = {"over": "▲ ", "at_risk": "◆ "}  # colour is never the only sign
CHANGE_MARKS: dict[str | None, str] = {"slower": "▲ ", "faster": "▼ "}
