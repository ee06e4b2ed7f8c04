"""Where each key of a TOML text stands."""

import tomllib

from overbudget.analysis.budget.toml_lines import key_lines

TEXT = '''# a comment with [brackets] and = signs
a = 1 # x = 2
"q u" = """x
y] = 1"""
[stages.retrieval]
p50 = "2]00ms"  # c
match = [ # hi
  { attribute = "a.b", equals = "x" },

  { name = 'search_*', service = """]},""" },
]
[routes."POST /chat".stages.'a b']
p95 = '3s'
d.e . f = [[1, 2], [3]]
[[m]]
x = 1
[[m]]
x = 2
[m.y]
z = 1979-05-27T07:32:00Z
'''


def test_every_key_table_and_list_element_has_its_line() -> None:
    tomllib.loads(TEXT)
    lines = key_lines(TEXT)
    assert lines[("a",)] == 2
    assert lines[("q u",)] == 3
    assert lines[("stages", "retrieval")] == 5
    assert lines[("stages", "retrieval", "p50")] == 6
    assert lines[("stages", "retrieval", "match", 0, "equals")] == 8
    assert lines[("stages", "retrieval", "match", 1)] == 10
    assert lines[("stages", "retrieval", "match", 1, "service")] == 10
    assert lines[("routes", "POST /chat", "stages", "a b", "p95")] == 13
    assert lines[("routes", "POST /chat", "stages", "a b", "d", "e", "f", 1, 0)] == 14
    assert (lines[("m", 0)], lines[("m", 0, "x")], lines[("m", 1)], lines[("m", 1, "x")]) == (15, 16, 17, 18)
    assert lines[("m", 1, "y", "z")] == 20


def test_every_value_that_the_parser_sees_has_a_line() -> None:
    def paths(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
        entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        return [found for key, entry in entries for found in [(*path, key), *paths(entry, (*path, key))]]

    assert set(paths(tomllib.loads(TEXT))) == set(key_lines(TEXT))


def test_an_empty_text_has_no_lines() -> None:
    assert key_lines("") == {}
    assert key_lines("# only this") == {}


def test_a_comment_may_begin_where_a_header_ends() -> None:
    assert key_lines("[a]#b = 1\nc = 2\n[[m]]#d = 3\n") == {("a",): 1, ("a", "c"): 2, ("m",): 3, ("m", 0): 3}
