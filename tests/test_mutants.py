"""The tester of tests (`make mutants`): which faults it makes, which tests it asks, and that it tells what it found."""

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.mutants.reach import Reach, outermost
from scripts.mutants.rooms import KERNELS, ROOMS, Mutant, all_mutants, mirror, sample
from scripts.mutants.sites import Site, mutated, sites
from scripts.mutants.table import Outcome, table

ROOT = Path(__file__).parent.parent
SOURCE = '''
"""What it does, 3 < 4."""

@kernel(inner=True)
def within(ns: "int", cap: int = 5) -> bool:
    """Whether 1 < 2."""
    if not cap:
        raise ValueError("no cap: 1 + 2")
    total[0] = min(ns, 7) + 1
    return ns <= cap and ns > 0
'''


def changes(source: str) -> list[str]:
    return [site.change for site in sites(source)]


def test_it_makes_the_faults_that_people_make() -> None:
    found = changes(SOURCE)
    for expected in (
        "5 → 6",
        "not cap: without its sign",
        "no raise",
        "no total[0] = min(ns, 7) + 1",
        "return None",
        "ns <= cap and ns > 0: and ↔ or",
        "ns <= cap: <= → <",
        "ns > 0: > → >=",
    ):
        assert expected in found
    assert "min(ns, 7): min → max" in changes("total = min(ns, 7) + 1")
    assert "min(ns, 7) + 1: + → -" in changes("total = min(ns, 7) + 1")


def test_what_is_only_said_is_left_alone() -> None:
    assert changes('"""1 < 2"""\n') == []
    assert changes("from a import b\n\nx: 'dict[int, 3]'\n") == []
    assert changes("@kernel(inner=True)\ndef f():\n    pass\n") == []
    assert changes("raise ValueError(1 + 2)") == ["no raise"]
    assert changes("pairs = zip(a, b, strict=True)") == []
    assert changes("@dataclass(frozen=True)\nclass A:\n    size: int = 0\n") == []
    assert changes("class A:\n    size = 0\n") == ["0 → 1"]


@pytest.mark.parametrize("nothing", ["None", "()", "[]", "{}", "''"])
def test_nothing_for_nothing_is_no_fault(nothing: str) -> None:
    assert changes(f"def f():\n    return {nothing}") == []
    assert changes("def f():\n    return [a]") == ["return None"]


def test_one_of_two_types_is_left_alone_and_bits_are_not() -> None:
    assert changes("isinstance(a, int | Cap | None)") == ["no isinstance(a, int | Cap | None)"]
    assert changes("found = a | CYCLE") == ["a | CYCLE: | → &"]


def test_digits_for_show_are_left_alone() -> None:
    assert changes("found = round(a + b, 4)") == ["a + b: + → -"]


def test_a_large_number_gets_a_zero_too_many_and_a_small_one_gets_one_more() -> None:
    assert changes("a, b = 999, 1000") == ["999 → 1000", "1000 → 10000"]


def test_none_in_a_column_is_any_negative_number_and_the_last_one_is_the_last() -> None:
    assert changes("found = np.full(n, -1)") == []
    assert changes("found = a[-1]") == ["a[-1]: -1 → -2"]
    assert changes("NEVER = -2**62") == ["-2 ** 62: without its sign"]
    assert changes("small = 2**6") == ["2 → 3", "6 → 7"]


def test_what_cancels_is_left_alone() -> None:
    assert changes("p = np.exp(logs - logs.max())") == []
    assert "a - b.max(): - → +" in changes("p = a - b.max()")


def test_a_condition_is_turned_round_once() -> None:
    assert changes("if not a:\n    pass") == ["not a: without its sign"]
    assert changes("if a < b:\n    pass") == ["a < b: < → <="]
    assert changes("if a:\n    pass") == ["if not a"]


def test_sql_in_a_text_is_code() -> None:
    found = changes('query = f"SELECT arg_max(a, b) FROM t WHERE {1} <= x AND y"')
    assert len([change for change in found if change.startswith("SQL")]) == 3
    assert changes('said = "at least < 3 and more"') == []


@pytest.mark.parametrize("number", range(len(sites(SOURCE))))
def test_every_fault_changes_the_module_and_leaves_it_one(number: int) -> None:
    tree = mutated(SOURCE, number)
    assert ast.unparse(tree) != ast.unparse(ast.parse(SOURCE))
    compile(tree, "module", "exec")


def test_a_sample_is_the_same_for_the_same_seed_and_a_third_of_it_in_kernels() -> None:
    every = all_mutants()
    chosen = sample(every, 60, 1)
    assert chosen == sample(every, 60, 1)
    assert chosen != sample(every, 60, 2)
    assert len(chosen) == len(set(chosen)) == 60
    assert sum(mutant.room == KERNELS for mutant in chosen) == 20
    assert {mutant.room for mutant in chosen} == {mutant.room for mutant in every}
    assert all(mutant.file.startswith(ROOMS) for mutant in every)


def test_every_mutated_file_has_tests_beside_it() -> None:
    for file in sorted({mutant.file for mutant in all_mutants()}):
        assert mirror(file), f"{file} has no tests beside it: tests/{Path(file).parent}/"
    assert mirror("analysis/review/judge.py")[0] == "tests/analysis/review/test_judge.py"


def test_the_table_tells_the_share_of_each_room_and_who_survived() -> None:
    def outcome(file: str, how: str, line: int = 1) -> Outcome:
        return Outcome(Mutant(file, Site(0, line, "< → <=")), how, 1.0)  # type: ignore[arg-type]

    said = table([outcome("kernels/hops.py", "noticed"), outcome("kernels/hops.py", "survived", 7)], 3)
    assert any(line.split() == ["kernels", "2", "1", "50%", "below", "the", "aim"] for line in said)
    assert "  kernels/hops.py:7: < → <=" in said
    assert any(line.startswith("1 of 3 were not tried") for line in said)


def test_a_fault_belongs_to_the_outermost_function_that_it_is_in() -> None:
    source = """
LIMIT = 3
class A:
    cap: int = 4
    def f(self, n=5):
        def inner():
            return 6
        return lambda: 7
def g():
    class B:
        def h(self):
            return 8
"""
    found = {site.change: site.function for site in sites(source) if "→" in site.change}
    assert found == {"3 → 4": "", "4 → 5": "", "5 → 6": "A.f", "6 → 7": "A.f", "7 → 8": "A.f", "8 → 9": "g"}


def test_code_is_known_by_the_outermost_function_that_holds_it() -> None:
    assert outermost("A.f.<locals>.inner.<locals>.<lambda>") == "A.f"
    assert outermost("g") == "g"
    assert outermost("<module>") == outermost("<lambda>") == ""


REACH = Reach(
    {"a.py::slow": 9.0, "a.py::far": 0.1, "b.py::quick": 1.0, "b.py::not_it": 0.5, "own.py::last": 20.0},
    {"f.py": {"f": ["a.py::slow", "b.py::quick", "own.py::last"], "g": ["b.py::not_it"], "h": ["", "b.py::quick"]}},
)


def test_only_tests_that_run_the_function_are_asked_those_of_its_own_file_first_and_quick_ones_before_slow_ones() -> (
    None
):
    assert REACH.tests("f.py", "f", "own.py") == ["own.py::last", "b.py::quick", "a.py::slow"]
    assert REACH.tests("f.py", "never_run", "own.py") == []


@pytest.mark.parametrize("function", ["", "h"])
def test_every_test_is_asked_about_what_runs_on_import(function: str) -> None:
    expected = ["own.py::last", "b.py::not_it", "b.py::quick", "a.py::slow", "a.py::far"]
    assert REACH.tests("f.py", function, "own.py") == expected


def test_what_is_known_of_each_test_file_is_kept_by_itself_and_put_together_again(tmp_path: Path) -> None:
    parts = REACH.by_module()
    assert list(parts) == ["a.py", "b.py", "own.py"]
    assert parts["b.py"].tests("f.py", "f") == ["b.py::quick"]
    assert sorted(parts["a.py"].tests("f.py", "h")) == ["a.py::far", "a.py::slow"]  # on import: all of it
    read = []
    for number, part in enumerate(parts.values()):
        part.write(tmp_path / f"{number}.json")
        read.append(Reach.read(tmp_path / f"{number}.json"))
    whole = Reach.together(read)
    assert whole.seconds == REACH.seconds
    for function in ("f", "g", "h", "never_run"):
        assert whole.tests("f.py", function) == REACH.tests("f.py", function)


RECORDED = """
import sys
from pathlib import Path
import pytest
from scripts.mutants.reach import Recorder
recorder = Recorder(Path("reach.json"))
recorder.start()
pytest.main(["-q", "-p", "no:cacheprovider", "--rootdir=.", "test_some.py", "test_other.py"], plugins=[recorder])
"""
SOME_TESTS = """
import pytest
from overbudget.analysis.budget.edit import edited
from overbudget.analysis.common.durations import format_duration

@pytest.fixture(scope="module")
def text():
    return edited("", {})

def test_format():
    assert format_duration(2_000_000_000)

def test_edit(text):
    assert text == ""

def test_wrong():
    assert format_duration(2_000_000_000) == ""
"""


def test_who_calls_what_is_recorded_and_what_fails_anyway_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(SOME_TESTS)
    (tmp_path / "test_other.py").write_text("def test_nothing():\n    pass\n")
    subprocess.run(
        [sys.executable, "-c", RECORDED], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True
    )
    reach = Reach.read(tmp_path / "reach.json")
    assert reach.failed == ["test_some.py::test_wrong"]
    assert list(reach.seconds) == [
        "test_some.py::test_format",
        "test_some.py::test_edit",
        "test_other.py::test_nothing",
    ]
    assert reach.tests("analysis/common/durations.py", "format_duration") == ["test_some.py::test_format"]
    shared = reach.tests("analysis/budget/edit.py", "edited")  # called by what all tests of the module share
    assert sorted(shared) == ["test_some.py::test_edit", "test_some.py::test_format"]


ONE_TRIAL = """
import sys, time
from pathlib import Path
from scripts.mutants.rooms import all_mutants
from scripts.mutants.trial import Trial, load_libraries
file, change, test, folder = sys.argv[1:]
one = next((mutant for mutant in all_mutants() if (mutant.file, mutant.site.change) == (file, change)), None)
assert one is not None, f"{file} has no longer the fault: {change}; take another one"
load_libraries()
trial = Trial([test.split("::")[0]], one.without_jit, Path(folder), one, {test: 0.1})
trial.start()
while (status := trial.status()) is None:
    time.sleep(0.05)
print(status)
"""
CACHE = "test_a_call_that_fails_fills_no_cache"
RUNS = "test_runs_of_the_same_operations_are_put_together_whatever_their_order"


@pytest.mark.parametrize(
    ("file", "change", "test", "status"),
    [
        ("analysis/whatif/factors.py", "no hit[i] = True", f"tests/analysis/whatif/test_whatif.py::{CACHE}", 1),
        (
            *("analysis/advice/sequential_calls.py", "no beyond += 1"),
            *(f"tests/analysis/advice/test_sequential_calls.py::{RUNS}", -signal.SIGPROF),
        ),
    ],
    ids=["in a kernel of an analysis", "a loop that never ends"],
)
def test_a_fault_is_noticed(file: str, change: str, test: str, status: int, tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", ONE_TRIAL, file, change, test, str(tmp_path / "trial")]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == str(status), done.stdout + done.stderr


def test_a_fault_that_a_test_would_notice_is_noticed() -> None:
    code = (
        "from scripts.mutants import __main__ as m, rooms\n"
        "one = [x for x in rooms.all_mutants() if x.file == 'analysis/budget/edit.py' and 'return None' == x.site.change]\n"
        "m.sample = lambda every, count, seed: one[:1]\n"
        "raise SystemExit(m.main([]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "noticed " in done.stdout
    assert "Every one was noticed." in done.stdout
