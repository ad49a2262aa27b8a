"""What is compiled is what should be: every module with a `.pxd`, whole, and nothing else."""

from __future__ import annotations

import ast
import importlib
import os
import pkgutil
import re
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

import headwater
from headwater.commands import load_all
from headwater.commands.spec import SPECS
from headwater.commands.table import CommandTable, unbound

REPOSITORY = Path(__file__).parents[2]
SOURCE = REPOSITORY / "src" / "headwater"
INSTALLED = Path(headwater.__file__).parent
TYPES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts): path
    for path in sorted(SOURCE.rglob("*.pxd"))
}
"""The `.pxd` files by the name of their module in the package."""
SHARED = "_shared"
"""Made by Cython; compiled modules import it, and nothing else does."""


def compiled_list() -> list[str]:
    """COMPILED of setup.py."""
    for node in ast.parse((REPOSITORY / "setup.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "COMPILED":
            return list(ast.literal_eval(node.value))
    raise AssertionError("setup.py has no COMPILED")


def declarations(path: Path) -> list[str]:
    """The lines of a `.pxd` without comments; what goes over several lines is one."""
    lines: list[str] = []
    depth = 0
    for line in path.read_text().splitlines():
        code = line.partition("#")[0].rstrip()
        if depth:
            lines[-1] += " " + code.strip()
        elif code.strip():
            lines.append(code)
        depth += code.count("(") - code.count(")")
    return lines


def attributes_by_class(path: Path) -> dict[str, set[str]]:
    """The attributes that each cdef class of a `.pxd` declares, under the class's name."""
    found: dict[str, set[str]] = {}
    inside = ""
    for line in declarations(path):
        if not line.startswith(" "):
            match = re.match(r"cdef class (\w+)", line)
            inside = match[1] if match else ""
            if inside:
                found[inside] = set()
        elif inside and line.lstrip().startswith("cdef ") and "(" not in line:
            for piece in line.split(","):
                found[inside].add(piece.split()[-1])
    return found


def hidden_names(path: Path) -> set[str]:
    """Module-level names that Python code can not import: `cdef` functions and C variables."""
    found: set[str] = set()
    for line in declarations(path):
        if not line.startswith("cdef ") or line.startswith("cdef class "):
            continue
        function = re.match(r"cdef .*?(\w+)\((?!.*\) \w+\()", line)
        if function:
            found.add(function[1])
        else:
            found.update(piece.split()[-1] for piece in line.split(","))
    return found


def slots_by_class(path: Path) -> dict[str, set[str]]:
    """The `__slots__` of each class of a `.py` file that has them."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ClassDef):
            continue
        for statement in node.body:
            if (
                isinstance(statement, ast.Assign)
                and ast.unparse(statement.targets[0]) == "__slots__"
            ):
                value = ast.literal_eval(statement.value)
                found[node.name] = {value} if isinstance(value, str) else set(value)
    return found


def test_the_run_is_in_the_mode_that_was_asked_for() -> None:
    wanted = os.environ.get("HEADWATER_TEST_MODE", "")
    assert not wanted or headwater.mode() == wanted


def test_every_module_with_c_types_is_compiled() -> None:
    listed = compiled_list()
    assert sorted(listed) == sorted(TYPES)
    assert len(listed) == len(set(listed))
    for name, path in TYPES.items():
        assert path.with_suffix(".py").exists(), f"{name} has no .py"
    twice = {path.stem for path in SOURCE.rglob("*.pyx")}
    assert twice == {"raw"}, "only raw has two bodies"


@pytest.mark.parametrize("name", sorted(TYPES))
def test_a_module_is_loaded_as_the_mode_says(name: str) -> None:
    module = importlib.import_module(f"headwater.{name}")
    file = module.__file__ or ""
    if headwater.mode() == "compiled":
        assert file.endswith(tuple(EXTENSION_SUFFIXES))
    else:
        assert file.endswith(".py")


def test_everything_can_be_imported() -> None:
    for found in pkgutil.walk_packages(headwater.__path__, "headwater."):
        if found.name not in ("headwater.__main__", f"headwater.{SHARED}"):
            importlib.import_module(found.name)


def test_what_is_installed_is_this_source() -> None:
    def content(folder: Path) -> dict[str, bytes]:
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.suffix in (".py", ".pxd", ".pyx", ".typed")
        }

    ours, installed = content(SOURCE), content(INSTALLED)
    assert sorted(ours) == sorted(installed), "files are missing or left over: make build"
    assert [name for name in ours if ours[name] != installed[name]] == [], "stale: make build"


def test_no_compiled_module_is_left_over() -> None:
    names = [
        ".".join((*path.relative_to(INSTALLED).parent.parts, path.name.partition(".")[0]))
        for path in INSTALLED.rglob("*.so")
    ]
    expected = [*compiled_list(), SHARED] if headwater.mode() == "compiled" else names
    assert sorted(names) == sorted(expected)
    assert set(names) <= {*TYPES, SHARED}


@pytest.mark.parametrize("name", sorted(TYPES))
def test_classes_have_the_same_attributes_in_both_files(name: str) -> None:
    path = TYPES[name]
    slots = slots_by_class(path.with_suffix(".py"))
    for class_name, attributes in attributes_by_class(path).items():
        assert class_name in slots, f"{class_name} has C types but no __slots__"
        assert slots[class_name] == attributes, class_name


def test_attributes_are_read_from_the_pxd_in_all_their_forms(tmp_path: Path) -> None:
    path = tmp_path / "some.pxd"
    path.write_text(
        "cdef u64 _LIMIT, _OTHER  # two\n"
        "cdef object plain(int a,\n"
        "                  int b) noexcept\n"
        "cdef (u64, u64) pair(int a) except *\n"
        "cpdef int seen(int a)\n"
        "cdef class Some(Base):\n"
        "    cdef public unsigned long long a, b   # a comment, with (a bracket\n"
        "    cdef long long[::1] c\n"
        "    cdef readonly bint d\n"
        "    cdef (bint, u64) method(self, int x) except *\n"
        "    @cython.locals(cdef_local=int,\n"
        "                   other=int)\n"
        "    cpdef int seen(self) noexcept\n"
    )
    assert attributes_by_class(path) == {"Some": {"a", "b", "c", "d"}}
    assert hidden_names(path) == {"_LIMIT", "_OTHER", "plain", "pair"}


def test_names_that_c_hides_are_not_imported_by_python_code() -> None:
    hidden = {f"headwater.{name}": hidden_names(path) for name, path in TYPES.items()}
    assert any(hidden.values())
    for path in SOURCE.rglob("*.py"):
        if path.with_suffix(".pxd").exists():
            continue  # compiled: what it imports wrongly fails to compile or to be imported
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module in hidden:
                names = {alias.name for alias in node.names}
                assert not names & hidden[node.module], f"{path.name} imports from {node.module}"


def test_every_command_is_bound() -> None:
    # Cython leaves decorators out, silently, on functions that a .pxd types.
    load_all()
    assert unbound() == []
    assert len(CommandTable().everything) == len(SPECS)


@pytest.mark.parametrize("setting", ["1", "yes"])
def test_one_installation_serves_both_modes(setting: str) -> None:
    program = (
        "import headwater, pkgutil, importlib, sys\n"
        "for m in pkgutil.walk_packages(headwater.__path__, 'headwater.'):\n"
        "    if m.name not in ('headwater.__main__', 'headwater._shared'):\n"
        "        importlib.import_module(m.name)\n"
        "files = [m.__file__ for n, m in sys.modules.items() if n.startswith('headwater')]\n"
        "print(headwater.mode(), all(f.endswith('.py') for f in files), len(files) > 60)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "HEADWATER_PURE": setting},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["interpreted", "True", "True"]
