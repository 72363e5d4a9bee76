"""The committed gRPC stubs are what `make proto` generates from the .proto files."""

import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_STUBS = _ROOT / "server" / "nextchar" / "pb"
_NAMES = [
    "nextchar_pb2.py",
    "nextchar_pb2.pyi",
    "nextchar_pb2_grpc.py",
    "inference_pb2.py",
    "inference_pb2.pyi",
    "inference_pb2_grpc.py",
    "onnx_part_pb2.py",
    "onnx_part_pb2.pyi",
]


@pytest.mark.parametrize("name", _NAMES)
def test_the_stubs_are_fresh(tmp_path: Path, name: str) -> None:
    out = [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")]
    includes = [f"-Inextchar/pb={_ROOT / 'proto' / folder}" for folder in ("nextchar/v1", "inference")]
    proto = f"nextchar/pb/{name.partition('_pb2')[0]}.proto"
    command = [sys.executable, "-m", "grpc_tools.protoc", *includes, *out, proto]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    assert (tmp_path / "nextchar" / "pb" / name).read_text() == (_STUBS / name).read_text()
