"""Rules of the project that a test can check."""

import ast
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_MAX_LINES, _MAX_FUNCTION_LINES = 300, 60
_MAX_PACKAGE_ENTRIES, _MAX_FOLDER_ENTRIES = 16, 22
_HAND_WRITTEN = ("server", "training", "tests", "benchmarks", "operations")


@cache
def tracked() -> list[Path]:
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=_ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [_ROOT / name for name in listed.decode().split("\0") if name]


def python_files() -> list[Path]:
    found = [p for p in tracked() if p.suffix == ".py" and p.relative_to(_ROOT).parts[0] in _HAND_WRITTEN]
    return [p for p in found if "pb" not in p.parts and p.exists()]


def test_files_and_functions_stay_short() -> None:
    for path in python_files():
        source = path.read_text()
        assert len(source.splitlines()) <= _MAX_LINES, path
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert (node.end_lineno or 0) - node.lineno < _MAX_FUNCTION_LINES, (path, node.name)


def test_no_file_names_a_path_of_a_developers_machine() -> None:
    place = re.compile(
        rb"(?<![\w.])/(?:home|Users|root|work|opt|mnt(?!/models\b))/[A-Za-z0-9_.-]+"
    )  # KServe's place
    for path in tracked():
        if path.exists() and path.suffix != ".onnx":
            assert not place.search(path.read_bytes()), path


def test_there_is_no_lock_file_that_names_hosts() -> None:
    assert not [path for path in tracked() if path.name in ("uv.lock", "poetry.lock", "pdm.lock")]


def test_package_markers_stay_empty() -> None:
    places = ("nextchar", "nextchar/client", "nextchar/batch")
    published = {_ROOT / "server" / place / "__init__.py" for place in places}
    for path in python_files():
        if path.name == "__init__.py" and path not in published:
            assert path.read_text() == "", path


def changed_for_everybody(call: ast.Call) -> str | None:
    """Returns the module of the standard library of which `monkeypatch.setattr` sets a name, if any."""
    target = ast.unparse(call.args[0]) if call.args else ""
    if isinstance(call.args[0], ast.Constant | ast.JoinedStr):
        target = target.strip("f'\"").rpartition(".")[0]
    module = target.rpartition(".")[2]
    # Arguments, streams and limits of the process are what these are for.
    return module if module in sys.stdlib_module_names - {"sys", "resource"} else None


def test_a_test_changes_a_library_for_one_module_and_not_for_every_thread() -> None:
    """Otherwise the event loop of another test's server runs by the clock of this test: use `replace_in`."""
    found = [
        (path.name, node.lineno)
        for path in python_files()
        if path.name.startswith("test_") and "setattr" in path.read_text()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "setattr"
        and changed_for_everybody(node)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("written", "module"),
    [
        ("m.setattr(time, 'monotonic', f)", "time"),
        ("m.setattr(ours.asyncio, 'sleep', f)", "asyncio"),
        ("m.setattr('ours.part.time.monotonic', f)", "time"),
        ("m.setattr(f'ours.{part}.time.monotonic', f)", "time"),
        ("m.setattr(ours, 'time', f)", None),
        ("m.setattr(sys, 'argv', [])", None),
    ],
)
def test_such_a_change_is_seen_however_it_is_written(written: str, module: str | None) -> None:
    call = ast.parse(written, mode="eval").body
    assert isinstance(call, ast.Call)
    assert changed_for_everybody(call) == module


def test_folders_can_be_read_at_a_glance() -> None:
    names: dict[Path, set[str]] = {}
    for path in tracked():
        parts = path.relative_to(_ROOT).parts
        if parts[0] in ("server", "training", "tests", "benchmarks", "operations") and path.exists():
            names.setdefault(path.parent, set()).add(path.name)
            names.setdefault(path.parents[1], set()).add(path.parent.name)
    for package in ("server/nextchar", "training/nextchar_training"):
        assert len(names[_ROOT / package]) <= _MAX_PACKAGE_ENTRIES, package
    crowded = {folder: len(found) for folder, found in names.items() if len(found) > _MAX_FOLDER_ENTRIES}
    assert crowded == {}


def test_no_two_test_files_have_one_name() -> None:
    """pytest imports them by their names, and refuses the second."""
    names = Counter(path.name for path in (_ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
