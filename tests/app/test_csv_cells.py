"""What is printed or downloaded does nothing where it is opened."""

import json

import pytest

from overbudget.app.text.csv_cells import csv_cell
from overbudget.app.text.json_text import json_text


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"])
def test_no_cell_is_a_formula(start: str) -> None:
    assert csv_cell(f"{start}cmd|' /C calc'!A0") == f"'{start}cmd|' /C calc'!A0"


@pytest.mark.parametrize("text", ["-5", "+5.25", "-1e-07", "2025-01-01", "a=b", "", "'"])
def test_numbers_and_plain_text_stay_as_they_are(text: str) -> None:
    assert csv_cell(text) == text


def test_a_terminal_finds_nothing_to_obey() -> None:
    obeyed = "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0)]))
    assert not set(csv_cell(f"a{obeyed}")) & set(obeyed) - set("\t\n\r")
    assert not set(json_text({obeyed: [obeyed]})) & set(obeyed) - set("\n")
    assert json.loads(json_text({obeyed: [obeyed]})) == {obeyed: [obeyed]}
    assert "é" in json_text("é")
