"""The image gets the compiled cells that this tree has, built from pins, or says that it has none."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

_ROOT = Path(__file__).parents[2]
_SCRIPT = _ROOT / "kernels" / "image-wheel"
_DOCKERFILE = (_ROOT / "Dockerfile").read_text()


def assigned(path: Path, name: str) -> str:
    """Returns what a shell script assigns to a variable."""
    (found,) = re.findall(rf"^{name}=(\S+)$", path.read_text(), re.MULTILINE)
    return str(found)


def run(choice: str, folder: Path, **programs: str) -> subprocess.CompletedProcess[str]:
    """Runs the script with programs of its path replaced by scripts; what is built goes to `wheels`."""
    path = folder / "programs"
    path.mkdir()
    for name, text in {"apt-get": "exit 100", **programs}.items():  # nothing is installed by a test
        (path / name).write_text(f"#!/bin/sh\n{text}\n")
        (path / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}"}
    command = [_SCRIPT, choice, folder / "wheels"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["package", "digest"])
def test_the_headers_are_those_that_ci_builds_with(name: str) -> None:
    assert assigned(_SCRIPT, name) == assigned(_ROOT / ".ci" / "install-onnxruntime-headers", name)


def test_what_builds_the_wheel_is_pinned_as_its_project_wants_it() -> None:
    project = tomllib.loads((_ROOT / "kernels" / "pyproject.toml").read_text())
    text = (_ROOT / "requirements" / "kernels.txt").read_text()
    pins = dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", text, re.MULTILINE))
    for requirement in map(Requirement, project["build-system"]["requires"]):
        assert requirement.specifier.contains(pins[requirement.name]), requirement
    assert {"cmake", "ninja"} <= pins.keys()


def test_the_cells_are_built_from_this_tree_in_a_stage_of_their_own_and_installed_with_the_server() -> None:
    kernels, build, final = re.split(r"^FROM ", _DOCKERFILE, flags=re.MULTILINE)[1:]
    assert "COPY kernels kernels" in kernels
    assert 'RUN kernels/image-wheel "${KERNELS}" /wheels' in kernels
    installed = build.index("COPY --from=kernels /wheels /wheels")
    assert installed < build.index("/wheels/*.whl")
    assert "kernels" not in final


def test_the_builder_is_given_the_sources_and_not_the_headers_of_the_machine() -> None:
    lines = (_ROOT / ".dockerignore").read_text().splitlines()
    assert lines.index("!kernels") < lines.index("kernels/include")
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", _DOCKERFILE, re.MULTILINE):
        for name in source.split():
            assert f"!{Path(name).parts[0]}" in lines, name


@pytest.mark.parametrize(
    ("programs", "why"),
    [({"uname": "echo aarch64"}, "this is aarch64"), ({"uname": "echo x86_64"}, "g++ cannot be installed")],
)
@pytest.mark.parametrize(("choice", "status"), [("auto", 0), ("require", 1)])
def test_where_they_cannot_be_built_the_log_says_so_and_only_who_requires_them_fails(
    programs: dict[str, str], why: str, choice: str, status: int, tmp_path: Path
) -> None:
    done = run(choice, tmp_path, **programs)
    assert done.returncode == status
    assert done.stdout.startswith("the image is built without nextchar-kernels: ")
    assert why in done.stdout
    assert list((tmp_path / "wheels").iterdir()) == []


def test_they_can_be_left_out(tmp_path: Path) -> None:
    done = run("off", tmp_path)
    assert (done.returncode, list((tmp_path / "wheels").iterdir())) == (0, [])
    assert done.stdout == "the image is built without nextchar-kernels: KERNELS is off\n"


def test_another_choice_is_refused(tmp_path: Path) -> None:
    done = run("on", tmp_path)
    assert done.returncode == 2
    assert done.stderr == "KERNELS must be auto, require or off (it is on)\n"
