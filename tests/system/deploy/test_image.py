"""The image: what is in it, what it runs as, and that it serves, is seen to be well, and drains."""

import hashlib
import json
import platform
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from image_program import ROOT, build, container, in_image, inspect, only_where_asked, podman
from packaging.utils import canonicalize_name
from support.tools import tool_program

from nextchar import __version__

pytestmark = only_where_asked

_MAX_BYTES_OVER_THE_BASE = 250_000_000
_HAS_KERNELS = platform.machine() == "x86_64"
_ARGUMENTS = (
    f"--build-arg=VERSION={__version__}",
    "--build-arg=REVISION=test",
    f"--build-arg=KERNELS={'require' if _HAS_KERNELS else 'auto'}",
)
_STATUS = "print(open('/proc/1/status').read())"
_FILES = """
import hashlib, pathlib
for root in ("/app", "/models"):
    for path in sorted(pathlib.Path(root).rglob("*")):
        if path.is_file() and not path.is_symlink():
            print(path, oct(path.stat().st_mode), hashlib.sha256(path.read_bytes()).hexdigest())
"""
_MISSING = """
import importlib.util, shutil
names = ("torch", "onnx", "pip", "pytest", "setuptools", "grpc_tools", "scikit_build_core")
programs = ("gcc", "g++", "cc", "cmake", "make", "git")
print([n for n in names if importlib.util.find_spec(n)], [n for n in programs if shutil.which(n)])
"""


@pytest.fixture(scope="module")
def image() -> str:
    return build(__version__, *_ARGUMENTS)


@pytest.fixture(scope="module")
def served(image: str) -> Iterator[tuple[str, str]]:
    with container(image) as running:
        yield running


def test_it_is_small(image: str) -> None:
    (base,) = re.findall(r"^ARG BASE=(\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    over = inspect("image", image)["Size"] - inspect("image", base)["Size"]
    print(f"{over / 1e6:.0f} MB over the base")
    assert over <= _MAX_BYTES_OVER_THE_BASE


def test_it_says_what_it_is_and_needs_no_shell_to_run(image: str) -> None:
    config = inspect("image", image)["Config"]
    assert config["User"] == "10001:10001"
    assert (config["Entrypoint"], config["Cmd"]) == (["nextchar"], ["serve"])
    health = inspect("image", image)["Healthcheck"]
    assert health["Test"] == ["CMD", "nextchar", "healthcheck"]
    labels = {k.removeprefix("org.opencontainers.image."): v for k, v in config["Labels"].items()}
    assert {"title": "nextchar", "version": __version__, "revision": "test"}.items() <= labels.items()
    assert labels["licenses"] == "Apache-2.0"


def test_it_has_what_serves_and_nothing_that_builds(image: str) -> None:
    assert in_image(image, _MISSING) == "[] []\n"
    assert "ok" in in_image(
        image, "import redis.asyncio, nextchar.service.sessions.stores.valkey; print('ok')"
    )


@pytest.mark.skipif(not _HAS_KERNELS, reason="compiled cells are for x86-64")
def test_its_int8_models_run_with_the_compiled_cells_of_this_tree(served: tuple[str, str]) -> None:
    version = tomllib.loads((ROOT / "kernels" / "pyproject.toml").read_text())["project"]["version"]
    code = "import importlib.metadata as m; print(m.version('nextchar-kernels'))"
    assert podman("exec", served[0], "python3", "-c", code).stdout.strip() == version
    log = podman("logs", served[0]).stderr
    assert re.search(r"step-int8\.onnx: runs with nextchar-kernels \((avx512|avx2)\)", log)


def test_it_serves_without_a_shell(image: str, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"
    nothing.write_text("")
    hidden = [f"--volume={nothing}:/usr/bin/{name}:ro" for name in ("dash", "bash")]
    with container(image, *hidden) as (name, url):
        assert podman("exec", name, "sh", "-c", "true", check=False).returncode != 0
        assert httpx.get(url + "/v1/models").is_success
        assert podman("healthcheck", "run", name).returncode == 0


def test_it_runs_with_no_rights_at_all(served: tuple[str, str]) -> None:
    name, _ = served
    status = dict(
        line.split(":\t", 1)
        for line in podman("exec", name, "python3", "-c", _STATUS).stdout.splitlines()
        if ":\t" in line
    )
    assert status["Uid"].split() == ["10001"] * 4
    assert status["CapEff"] == status["CapBnd"] == "0" * 16
    assert status["NoNewPrivs"] == "1"
    write = "open('/app/x', 'w')"
    assert "Read-only file system" in podman("exec", name, "python3", "-c", write, check=False).stderr


def test_it_answers_a_score_request(served: tuple[str, str]) -> None:
    body = {"model": "shakespeare", "input": ["hello", "htktt"]}
    hello, htktt = httpx.post(served[1] + "/v1/score", json=body, timeout=30).json()["data"]
    assert hello["logprob"] - htktt["logprob"] >= 10


@pytest.mark.parametrize("question", [(), ("--live",), ("--grpc",), ("--grpc", "--live")])
def test_it_sees_itself_well(served: tuple[str, str], question: tuple[str, ...]) -> None:
    assert podman("exec", served[0], "nextchar", "healthcheck", *question).stdout == ""


def test_podmans_own_health_check_finds_it_well(served: tuple[str, str]) -> None:
    assert podman("healthcheck", "run", served[0]).returncode == 0


def test_sigterm_lets_a_stream_finish_and_ends_with_0(image: str) -> None:
    with container(image) as (name, url):
        body = {"model": "shakespeare", "max_tokens": 4000, "seed": 1, "stream": True}
        with httpx.stream("POST", url + "/v1/completions", json=body, timeout=60) as answer:
            lines = answer.iter_lines()
            assert next(lines).startswith("data: {")
            podman("kill", "--signal", "TERM", name)
            rest = [line for line in lines if line]
        assert rest[-1] == "data: [DONE]"
        assert podman("wait", name).stdout.strip() == "0"
        assert "draining" in podman("logs", name).stderr


def test_two_builds_have_the_same_bytes(image: str) -> None:
    again = build("again", "--no-cache", *_ARGUMENTS)
    first, second = (in_image(name, _FILES).splitlines() for name in (image, again))
    assert len(first) > 1000
    assert [line for line in first if line not in set(second)] == []
    assert len(first) == len(second)
    print(hashlib.sha256("".join(first).encode()).hexdigest())


def test_a_bill_of_materials_can_be_made_and_no_secret_is_found(image: str, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    podman("save", "--quiet", "--format", "docker-archive", "--output", archive, image)
    trivy = tool_program("ops", "trivy")

    def scan(*options: str) -> dict:
        command = [trivy, "image", "--quiet", "--skip-version-check", "--input", archive, *options]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    bill = scan("--format", "cyclonedx")
    parts = {canonicalize_name(part["name"]): part.get("version") for part in bill["components"]}
    pins = re.findall(
        r"^([a-z0-9._-]+)==(\S+)", (ROOT / "requirements" / "image.txt").read_text(), re.MULTILINE
    )
    assert {name: parts.get(name) for name, _ in pins} == dict(pins)
    assert parts["nextchar"] == __version__
    print(f"{len(parts)} components")
    found = scan("--format", "json", "--scanners", "secret", "--skip-check-update")
    assert not [result for result in found["Results"] if result.get("Secrets")]
