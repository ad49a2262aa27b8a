"""What a release consists of: the source distribution, and the wheel without compiled modules."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import headwater

REPOSITORY = Path(__file__).parents[2]
SOURCE = REPOSITORY / "src"
VERSION = headwater.__version__
OF_THE_PACKAGE = (".py", ".pyx", ".pxd", ".lua", ".typed")
MADE = (".c", ".so", ".pyd", ".pyc", ".db")
CACHES = {
    *("__pycache__", "node_modules"),
    *(".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"),
}


def build(what: str, tree: Path, into: Path) -> Path:
    """Build a "sdist" or a "wheel" of a source tree, without a compiler."""
    pytest.importorskip("setuptools", reason="nothing to build with is installed here")
    program = (
        "import sys; from setuptools import build_meta\n"
        f"print(build_meta.build_{what}(sys.argv[1]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(into)],
        cwd=tree,
        env={**os.environ, "HEADWATER_EXT": "skip", "CC": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return into / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("tree") / "headwater"
    ignored = shutil.ignore_patterns(".git", ".venv", "build", "dist", "*.egg-info")
    shutil.copytree(REPOSITORY, tree, ignore=ignored, symlinks=True)
    # As after a build in place, and after tests.
    (tree / "src" / "headwater" / "raw.c").write_text("/* made */")
    (tree / "src" / "headwater" / "raw.cpython-311.so").write_bytes(b"made")
    return build("sdist", tree, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        if hasattr(tarfile, "data_filter"):  # Python 3.11 has it from 3.11.4 on
            archive.extraction_filter = tarfile.data_filter
        archive.extractall(folder)
    return folder / f"headwater-{VERSION}"


@pytest.fixture(scope="module")
def wheel(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", unpacked, tmp_path_factory.mktemp("wheel"))


def package_files(folder: Path) -> set[str]:
    """The files that belong to the package, in a folder that has it."""
    return {
        str(path.relative_to(folder))
        for path in (folder / "headwater").rglob("*")
        if path.suffix in OF_THE_PACKAGE
    }


def test_the_source_distribution_has_all_that_a_build_needs(unpacked: Path) -> None:
    ours = package_files(SOURCE)
    assert {Path(name).suffix for name in ours} == set(OF_THE_PACKAGE)
    assert package_files(unpacked / "src") == ours
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "Makefile", "CHANGELOG.md"):
        assert (unpacked / name).read_bytes() == (REPOSITORY / name).read_bytes()


def test_and_what_its_tests_need(unpacked: Path) -> None:
    for folder in ("tests", "docs", "examples", "bench"):
        for path in (REPOSITORY / folder).rglob("*"):
            inside = path.relative_to(REPOSITORY)
            if path.is_file() and not CACHES & set(inside.parts):
                assert (unpacked / inside).is_file(), inside


def test_and_nothing_that_was_made(unpacked: Path) -> None:
    made = [
        str(path.relative_to(unpacked))
        for path in unpacked.rglob("*")
        if path.suffix in MADE or path.name in {*CACHES, ".venv", "build"}
    ]
    assert made == []


def test_the_wheel_without_compiled_modules_is_for_everything(wheel: Path) -> None:
    assert wheel.name == f"headwater-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if name.startswith("headwater/")}
    assert names == package_files(SOURCE)


def test_what_it_asks_for_and_what_it_registers(wheel: Path) -> None:
    folder = f"headwater-{VERSION}.dist-info"
    with zipfile.ZipFile(wheel) as archive:
        lines = archive.read(f"{folder}/METADATA").decode().splitlines()
        entries = configparser.ConfigParser()
        entries.read_string(archive.read(f"{folder}/entry_points.txt").decode())
    needs = [line.partition(": ")[2] for line in lines if line.startswith("Requires-Dist: ")]
    always = {need for need in needs if "extra ==" not in need}
    names = {need.partition("<")[0].partition(">")[0] for need in always}
    assert names == {"click", "lupa", "redis", "uvloop", "zstandard"}
    assert [need for need in always if "win32" in need] == [
        need for need in always if need.startswith("uvloop")
    ]
    extras = {line.partition(": ")[2] for line in lines if line.startswith("Provides-Extra: ")}
    assert extras == {"all", "cli", "schema"}
    assert dict(entries["console_scripts"]) == {"headwater": "headwater.cli:main"}
    assert dict(entries["pytest11"]) == {"headwater": "headwater.testing.plugin"}


def test_it_runs_from_where_it_is_installed(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    program = (
        "import headwater\n"
        "client = headwater.connect()\n"
        "client.xadd('orders', {'n': 1})\n"
        "print(headwater.mode(), headwater.__file__, client.eval('return 7', 0))\n"
        "client.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "HEADWATER_PURE": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["interpreted", str(tmp_path / "headwater/__init__.py"), "7"]


def test_wheels_are_made_for_every_python_that_is_supported() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    listed = [
        name.rpartition(" ")[2]
        for name in project["project"]["classifiers"]
        if name.startswith("Programming Language :: Python :: 3.")
    ]
    built = project["tool"]["cibuildwheel"]["build"]
    assert built == [f"cp{version.replace('.', '')}-*" for version in listed]
    assert project["tool"]["cibuildwheel"]["environment"] == {"HEADWATER_EXT": "require"}


def test_the_workflow_builds_them() -> None:
    yaml = pytest.importorskip("yaml")
    path = REPOSITORY / ".github" / "workflows" / "wheels.yml"
    if not path.exists():
        pytest.skip("a source distribution has no workflows")
    jobs = yaml.safe_load(path.read_text())["jobs"]
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    platforms = jobs["wheels"]["strategy"]["matrix"]["include"]
    assert {one["only"] for one in platforms} == {
        f"{system}_{machine}"
        for system, machines in (
            ("manylinux", ("x86_64", "aarch64")),
            ("musllinux", ("x86_64", "aarch64")),
            ("macosx", ("x86_64", "arm64")),
            ("win", ("amd64",)),
        )
        for machine in machines
    }
    (step,) = [one for one in jobs["wheels"]["steps"] if "CIBW_BUILD" in one.get("env", {})]
    versions = project["tool"]["cibuildwheel"]["build"]
    built = step["env"]["CIBW_BUILD"].replace("${{ matrix.only }}", "*")
    assert built.split() == versions
    count = len(platforms) * len(versions) + 1
    (check,) = [one["run"] for one in jobs["dist"]["steps"] if "test " in one.get("run", "")]
    assert f"= {count}" in check
