"""The pins are complete, hashed, free of host names, and satisfy pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_ROOT = Path(__file__).parents[2]
_FILES = ("serve", "build", "kernels", "image", "train", "dev")


def text_of(name: str) -> str:
    return (_ROOT / "requirements" / f"{name}.txt").read_text()


def pins(name: str) -> dict[str, str]:
    found = re.findall(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", text_of(name), re.MULTILINE)
    return {package.replace("_", "-"): version for package, version in found}


def wanted(extra: str | None = None) -> list[Requirement]:
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    lines = project["optional-dependencies"][extra] if extra else project["dependencies"]
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize("name", _FILES)
def test_every_pin_is_hashed_and_no_file_names_a_place(name: str) -> None:
    blocks = re.split(r"\n(?=[a-z0-9])", text_of(name))
    for block in blocks[1:]:
        assert "--hash=sha256:" in block, block[:60]
    assert not re.search(r"://|--index|--find-links|--trusted|^/|file:", text_of(name), re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("serve", None),
        ("train", None),
        ("dev", None),
        ("image", None),
        ("image", "valkey"),
        ("train", "train"),
        ("dev", "dev"),
    ],
)
def test_the_pins_are_what_the_project_asks_for(name: str, extra: str | None) -> None:
    found = pins(name)
    for requirement in wanted(extra):
        if requirement.name != "torch":
            assert requirement.specifier.contains(found[canonicalize_name(requirement.name)]), requirement


def test_a_package_has_one_version_in_all_files() -> None:
    seen: dict[str, str] = {}
    for name in _FILES:
        for package, version in pins(name).items():
            assert seen.setdefault(package, version) == version, (name, package)


def test_torch_is_pinned_apart() -> None:
    assert text_of("torch") == "torch==2.13.0\n"
    assert all("torch" not in pins(name) for name in _FILES)


@pytest.mark.parametrize("name", ["serve", "image"])
def test_serving_stays_light(name: str) -> None:
    assert not pins(name).keys() & {"torch", "onnx", "pandas", "scipy", "grpcio-tools", "rich", "pytest"}
