"""The shape of the source: imports point one way, files stay small, no module needs Cython."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import headwater

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "src" / "headwater"
MODULES = sorted(PACKAGE.rglob("*.py"))
TYPES = sorted(PACKAGE.rglob("*.pxd"))

LAYERS = (
    ("__main__",),
    ("cli",),
    ("testing",),
    ("aio",),
    ("embedded",),
    ("worker",),  # stands apart: see below
    ("server",),
    ("engine",),
    ("persistence",),
    ("config", "commands"),  # beside each other: a command is handed the configuration
    ("rdb", "acl", "scripting"),
    ("schemas",),
    ("keyspace",),
    ("journal",),
    ("streams", "lists"),
    ("resp",),
    ("value", "errors", "clock"),
    ("__init__",),  # the package itself, whose mode() looks at raw
    ("xxh3", "replacing"),
    ("raw", "limits", "glob", "_version"),
)
"""Parts of the package; one imports itself and what is in lines below its own, nothing else."""

LONGEST_FILE = 1000
LONG_FILE = 600
LONG_FILES: frozenset[str] = frozenset()
"""Files above the soft limit, for which there is a reason."""


def part_of(path: Path) -> str:
    """The part that a file belongs to: its folder in the package, or its own name."""
    inside = path.relative_to(PACKAGE)
    return inside.parts[0] if len(inside.parts) > 1 else inside.stem


def layer_of(part: str) -> int:
    """The place of a part in LAYERS, counted from the top."""
    for number, parts in enumerate(LAYERS):
        if part in parts:
            return number
    raise AssertionError(f"headwater.{part} has no place in LAYERS and docs/architecture.md")


def imports(tree: ast.AST) -> Iterator[str]:
    """Full names of what a module imports when it runs, wherever in it that stands."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            if node.module == "headwater":
                yield from (f"headwater.{alias.name}" for alias in node.names)
            else:
                yield node.module or ""
        else:
            yield from imports(node)


def imported_parts(path: Path) -> set[str]:
    """The parts of the package that a `.py` or `.pxd` file imports."""
    if path.suffix == ".pxd":
        names = re.findall(r"^\s*(?:from|cimport)\s+(headwater[\w.]*)", path.read_text(), re.M)
    else:
        names = list(imports(ast.parse(path.read_text())))
    found = set()
    for name in names:
        first, _, rest = name.partition(".")
        if first == "headwater":
            part = rest.partition(".")[0]
            known = (PACKAGE / part).is_dir() or (PACKAGE / f"{part}.py").is_file()
            found.add(part if part and known else "__init__")
    return found


def test_the_tree_is_there() -> None:
    assert {part_of(path) for path in MODULES} >= {"raw", "resp", "streams", "commands", "server"}
    assert len(TYPES) > 20
    assert imported_parts(PACKAGE / "engine.py") >= {"commands", "config", "keyspace"}
    assert imported_parts(PACKAGE / "streams" / "stream.pxd") >= {"resp", "value"}


def test_imports_point_one_way() -> None:
    wrong = [
        f"{path.relative_to(PACKAGE)} must not import headwater.{part}"
        for path in (*MODULES, *TYPES)
        for part in imported_parts(path) - {part_of(path)}
        if layer_of(part_of(path)) >= layer_of(part)
    ]
    assert wrong == []


def test_the_worker_library_needs_no_server() -> None:
    # It works with any Redis: of this package it knows the errors, no more.
    for path in (*MODULES, *TYPES):
        if part_of(path) == "worker":
            assert imported_parts(path) <= {"worker", "errors"}, path


def test_every_part_of_the_list_exists() -> None:
    parts = {part_of(path) for path in MODULES}
    assert parts == {part for parts in LAYERS for part in parts}


def test_streams_and_codec_know_no_clock() -> None:
    # Invariant 2: every time is an argument.
    for path in (*MODULES, *TYPES):
        if part_of(path) in ("streams", "resp"):
            assert "clock" not in imported_parts(path), path
            if path.suffix == ".py":
                assert not {"time", "datetime", "random"} & set(
                    imports(ast.parse(path.read_text()))
                )


def test_sources_do_not_import_cython() -> None:
    for path in MODULES:
        for name in imports(ast.parse(path.read_text())):
            assert name.partition(".")[0].lower() != "cython", f"{path}: C types go into a .pxd"


def test_every_module_says_what_it_owns() -> None:
    silent = [path for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))]
    assert silent == []


def test_files_stay_small() -> None:
    sources = [*PACKAGE.rglob("*.p*"), *(REPOSITORY / "tests").rglob("*.py")]
    lengths = {
        str(path.relative_to(REPOSITORY)): len(path.read_text().splitlines())
        for path in sources
        if path.suffix in (".py", ".pxd", ".pyx")
    }
    assert not {name: n for name, n in lengths.items() if n > LONGEST_FILE}
    long = {name for name, n in lengths.items() if n > LONG_FILE and name.startswith("src/")}
    assert long == LONG_FILES


def test_the_version_is_written_once() -> None:
    text = (REPOSITORY / "pyproject.toml").read_text()
    assert 'dynamic = ["version"]' in text
    assert not re.search(r'^version\s*=\s*"', text, re.M)
    assert re.fullmatch(r"\d+\.\d+\.\d+", headwater.__version__)
    newest = re.search(r"^## (\d+\.\d+\.\d+)", (REPOSITORY / "CHANGELOG.md").read_text(), re.M)
    assert newest is not None
    assert newest[1] == headwater.__version__
