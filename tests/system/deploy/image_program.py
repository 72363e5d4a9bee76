"""The image, built by the real Dockerfile, and containers of it: slow, so only where IMAGE_TESTS=1 asks."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.ports import free_port

ROOT = Path(__file__).parents[3]
NAME = "localhost/nextchar"

only_where_asked = pytest.mark.skipif(
    os.environ.get("IMAGE_TESTS") != "1" or shutil.which("podman") is None,
    reason="builds and runs the image, in minutes: make image-test",
)


def podman(*arguments: str | Path, check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["podman", *arguments], capture_output=True, text=True, timeout=300, check=check, **options
    )


def build(tag: str, *options: str) -> str:
    """An image of this checkout; its full name."""
    name = f"{NAME}:{tag}"
    command = ["buildah", "bud", "--isolation", "chroot", "--network", "host", "--pull-never"]
    # Docker's format: OCI's has no health check.
    command += ["--format", "docker", "--tag", name, *options, "."]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return name


def inspect(kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(podman(kind, "inspect", name).stdout)[0]
    return found


def in_image(image: str, code: str, *options: str) -> str:
    """What a program prints that the image's Python runs."""
    locked = ("--rm", "--read-only", "--network", "none", "--cap-drop", "ALL")
    return podman("run", *locked, *options, "--entrypoint", "python3", image, "-c", code).stdout


def wait_for(url: str) -> None:
    """Until somebody answers there; connections that are refused are tried again by the transport."""
    transport = httpx.HTTPTransport(retries=10)  # doubling from half a second on
    with httpx.Client(transport=transport, timeout=60) as client:
        while client.get(url).status_code == 503:
            continue


@contextmanager
def container(image: str, *options: str) -> Iterator[tuple[str, str]]:
    """A server as a careful person runs it; the container's name and its address."""
    http, grpc, metrics = (free_port() for _ in range(3))
    ports = {"HOST": "127.0.0.1", "HTTP_PORT": http, "GRPC_PORT": grpc, "METRICS_PORT": metrics}
    given = [word for name, value in ports.items() for word in ("--env", f"NEXTCHAR_{name}={value}")]
    locked = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    locked += ["--memory", "512m", "--cpus", "2", "--network", "host"]
    name = podman("run", "--detach", *locked, *given, *options, image).stdout.strip()
    try:
        wait_for(f"http://127.0.0.1:{http}/v2/health/ready")
        yield name, f"http://127.0.0.1:{http}"
    finally:
        podman("rm", "--force", "--time", "0", name)
