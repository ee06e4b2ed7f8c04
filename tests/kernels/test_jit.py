"""Kernels: compiled when first called, kept between runs, never older than any source that they are made of."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HELPER = (
    "from overbudget.kernels.jit import kernel\n\nSTEP = {step}\n\n\n@kernel\ndef helper(x):\n    return x + {added}\n"
)
OUTER = (
    "from overbudget.kernels.helper import STEP, helper\nfrom overbudget.kernels.jit import kernel\n\n\n"
    "@kernel\ndef outer(x):\n    return helper(x) * STEP\n"
)
CALL = "from overbudget.kernels.outer import outer; print(outer(1))"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package with the real decorator and two kernels of our own, one calling the other."""
    kernels = tmp_path / "overbudget" / "kernels"
    kernels.mkdir(parents=True)
    (tmp_path / "overbudget" / "__init__.py").touch()
    for name in ("__init__.py", "compiling.py", "jit.py", "machine_code.py"):
        (kernels / name).write_text((ROOT / "kernels" / name).read_text(encoding="utf-8"), encoding="utf-8")
    (kernels / "outer.py").write_text(OUTER)
    write_helper(tmp_path)
    return tmp_path


def write_helper(package: Path, step: int = 10, added: int = 1) -> None:
    (package / "overbudget" / "kernels" / "helper.py").write_text(HELPER.format(step=step, added=added))


def run(package: Path, code: str = CALL, **environment: str) -> list[str]:
    settings = {
        **os.environ,
        "NUMBA_DISABLE_JIT": "0",
        "OVERBUDGET_CACHE_DIR": str(package / "cache"),
        "PYTHONDONTWRITEBYTECODE": "1",
        **environment,
    }
    told = "import overbudget.kernels.compiling as m; m.on_compile.append(lambda name: print('compiling', name)); "
    ran = subprocess.run(
        [sys.executable, "-P", "-c", (told if not environment else "") + code],
        cwd=package, env={**settings, "PYTHONPATH": str(package)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return ran.stdout.split("\n")[:-1]


def test_one_changed_line_of_a_helper_changes_the_answer_of_the_next_run(package: Path) -> None:
    assert run(package)[-1] == "20"
    write_helper(package, added=2)
    assert run(package)[-1] == "30"


def test_a_changed_constant_of_another_module_changes_the_answer_of_the_next_run(package: Path) -> None:
    assert run(package)[-1] == "20"
    write_helper(package, step=100)
    assert run(package)[-1] == "200"


def test_the_second_run_compiles_nothing(package: Path) -> None:
    assert run(package) == [
        "compiling overbudget.kernels.outer.outer",
        "compiling overbudget.kernels.helper.helper",
        "20",
    ]
    assert run(package) == ["20"]


def test_a_damaged_file_is_compiled_anew(package: Path) -> None:
    run(package)
    for file in (package / "cache").rglob("*.bin"):
        file.write_bytes(b"\x80\x04nonsense")
    assert run(package)[-1] == "20"
    assert run(package) == ["20"]


def test_it_works_where_nothing_can_be_kept_and_says_so(package: Path) -> None:
    (package / "cache").write_text("a file where the folder should be")
    hear = "import overbudget.kernels.compiling as c; c.on_unkept.append(lambda folder, why: print(folder, why.strerror)); "
    said = run(package, hear + CALL)
    assert said[-1] == "20"
    assert f"{package / 'cache'} Not a directory" in said


def test_who_asks_is_told_how_many_were_compiled_and_when_it_is_over(package: Path) -> None:
    hear = (
        "from overbudget.kernels.compiling import compile_progress\n"
        "with compile_progress(lambda done: print('so far', done), lambda: print('over')):\n"
        "    from overbudget.kernels.outer import outer; outer(1); print('answer'); outer(2.5)"
    )
    # the kernel, and the one that it calls, which is ready first
    assert run(package, hear)[:4] == ["so far 0", "so far 0", "over", "answer"]


def test_without_a_compiler_kernels_are_python(package: Path) -> None:
    code = "from overbudget.kernels.outer import outer; import sys; print(outer(1)); print('numba' in sys.modules)"
    assert run(package, code, NUMBA_DISABLE_JIT="1") == ["20", "False"]


def test_uncompiled_kernels_give_the_same_numbers_and_no_warnings() -> None:
    code = (
        "import pyarrow as pa; from overbudget.kernels.content_hash import hash_strings; "
        "from overbudget.kernels.hex_ids import parse_ids; "
        "print(hash_strings(pa.array(['a', '', 'bc'])), parse_ids(pa.array(['0af7651916cd43dd8448eb211c80319c'])))"
    )
    compiled, as_python = (
        subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            env={**os.environ, "NUMBA_DISABLE_JIT": off}, capture_output=True, text=True, check=True,
        )
        for off in "01"
    )  # fmt: skip
    assert as_python.stdout == compiled.stdout != ""
    assert as_python.stderr == ""


def test_what_was_not_used_for_a_month_goes(package: Path) -> None:
    old, recent = (package / "cache" / "kernels" / name for name in ("old", "recent"))
    for folder, days in ((old, 31), (recent, 29)):
        folder.mkdir(parents=True)
        long_ago = folder.stat().st_mtime - days * 24 * 3600
        os.utime(folder, (long_ago, long_ago))
    run(package)
    assert recent.exists()
    assert not old.exists()


def without_types(source: str) -> list[str]:
    """The functions and methods of a module that say no types, but for those that numba finds the types of."""
    found = []
    for node in ast.iter_child_nodes(ast.parse(source)):
        for one in ast.walk(node) if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(one, ast.FunctionDef):
                names = {ast.unparse(decorator).partition("(")[0] for decorator in one.decorator_list}
                if one.returns is None and not names & {"kernel", "jit", "outer", "intrinsic"}:
                    found.append(one.name)
    return found


def test_only_kernels_say_no_types() -> None:
    rooms = ("kernels", "stages", "ingest", "analysis")
    files = [file for room in rooms for file in sorted((ROOT / room).rglob("*.py"))]
    untyped = {file.name: without_types(file.read_text(encoding="utf-8")) for file in files}
    assert {name: found for name, found in untyped.items() if found} == {}
    assert without_types("@kernel\ndef a(x): pass\ndef b(x): pass\nclass C:\n    def c(self): pass") == ["b", "c"]
