"""Ids written in any way."""

import pytest

from overbudget.kernels.compiling import compile_progress, on_compile, on_compiled
from overbudget.kernels.text_ids import id_of_text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0xF", "0" * 31 + "f"),
        (" 5B8EFFF7-9803-8103-D269-B633813FC60C ", "5b8efff798038103d269b633813fc60c"),
        ("1" * 32, "1" * 32),
        ("0", ""),
        ("0" * 32, ""),
    ],
)
def test_hexadecimal_digits_are_an_id_however_they_are_written(text: str, found: str) -> None:
    assert id_of_text(text, 32) == (found, False)


@pytest.mark.parametrize("text", ["", "1" * 33, "request 7", "-"])
def test_another_text_gets_a_hash_of_its_own(text: str) -> None:
    (one, lost), (other, _) = id_of_text(text, 32), id_of_text(f"{text}!", 32)
    assert (len(one), lost) == (32, True)
    assert one != other
    assert id_of_text(text, 32)[0] == one
    assert len(id_of_text(f"{text} of a span", 16)[0]) == 16


def test_compiling_is_shown_with_what_is_done_and_cleared_when_all_are() -> None:
    shown: list[int | str] = []
    before = len(on_compile), len(on_compiled)
    with compile_progress(shown.append, lambda: shown.append("clear")):
        (begins,), (ends,) = on_compile, on_compiled
        begins("a")
        begins("b")
        ends("b")
        ends("a")
        begins("c")
    assert shown == [0, 0, "clear", 2, "clear"]
    assert (len(on_compile), len(on_compiled)) == before
