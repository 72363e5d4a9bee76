"""Finds third-party programs that tests run as real processes.

`make tools` installs those that package indexes have, each in an environment of its own under `.tools/`
(requirements/tools/<name>.txt); others are Debian's (requirements/debian.txt). A test whose program is not
installed is skipped and names it.
"""

import shutil
from pathlib import Path

import pytest
from suite.tiers import check_program

_ROOT = Path(__file__).parents[2]


def tool_python(name: str) -> Path:
    """Returns the interpreter of a tool's environment; skips the test if there is none."""
    check_program(name)
    folder = _ROOT / ".tools" / name
    if not (folder / ".ok").exists():
        pytest.skip(f"{name} is not installed; run make tools")
    return folder / "bin" / "python"


def tool_program(name: str, program: str) -> Path:
    """Returns a program in a tool's environment; skips the test if there is none."""
    found = tool_python(name).with_name(program)
    assert found.exists(), found
    return found


def node_packages(name: str) -> tuple[Path, Path]:
    """Returns Node and the folder of a tool's packages of it; skips the test if either is missing."""
    node = debian_program("node", "nodejs")
    folder = _ROOT / ".tools" / name
    if not (folder / ".ok").exists():
        pytest.skip(f"{name} is not installed; run make tools")
    return node, folder / "node_modules"


def debian_program(program: str, package: str) -> Path:
    """Returns a program of a Debian package; skips the test if it is not installed."""
    check_program(program)
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed (Debian: apt install {package})")
    return Path(found)
