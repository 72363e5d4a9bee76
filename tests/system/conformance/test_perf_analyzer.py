"""Triton's perf_analyzer drives us as it drives Triton: single requests, batches, sequences, streams."""

import os
import re
import subprocess

import pytest
from support.live_server import LiveServer
from support.tools import tool_program, tool_python

_SECONDS = 120
_FEW = ("--request-count", "60")
_SINGLE = ("-H", "x-model-scheduling: dynamic")


def perf_analyzer(server: LiveServer, protocol: str, *arguments: str) -> str:
    """What it prints of a run of a few requests; however unsteady they were."""
    program = tool_program("perf_analyzer", "perf_analyzer")
    (model_manager,) = (
        tool_python("perf_analyzer").parents[1].glob("lib/python3*/site-packages/nvidia/cuda_runtime/lib")
    )
    address = server.grpc_address if protocol == "grpc" else f"127.0.0.1:{server.app.http_port}"
    command = [
        program,
        "-m",
        "tiny",
        "-u",
        address,
        "-i",
        protocol,
        *_FEW,
        "--string-length",
        "4",
        *arguments,
    ]
    environment = {**os.environ, "LD_LIBRARY_PATH": str(model_manager)}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    if "libb64" in done.stderr:
        pytest.skip("perf_analyzer needs a library of Debian's: apt install libb64-0d")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def count(text: str, what: str) -> int:
    found = re.search(rf"{what}: (\d+)", text)
    assert found, text
    return int(found[1])


@pytest.mark.parametrize(
    ("protocol", "arguments", "batch"),
    [("http", ("-b", "4"), 4), ("grpc", ("--streaming", "--concurrency-range", "4"), 1)],
)
def test_single_requests(server: LiveServer, protocol: str, arguments: tuple[str, ...], batch: int) -> None:
    printed = perf_analyzer(server, protocol, *_SINGLE, *arguments)
    assert "Sequence count" not in printed
    assert count(printed, "Successful request count") > 0
    assert count(printed, "Inference count") == batch * count(printed, "Successful request count")
    assert re.search(r"queue \d+ usec \+ compute input \d+ usec \+ compute infer \d+ usec", printed)


@pytest.mark.parametrize(
    ("protocol", "arguments"), [("http", ()), ("grpc", ("--streaming", "--num-of-sequences", "4"))]
)
def test_sequences(server: LiveServer, protocol: str, arguments: tuple[str, ...]) -> None:
    printed = perf_analyzer(server, protocol, "--sequence-length", "5", *arguments)
    assert count(printed, "Sequence count") > 0
    assert count(printed, "Successful request count") > 0
