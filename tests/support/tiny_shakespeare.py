"""Finds the text of the quality benchmark, if it was downloaded."""

import hashlib
import os
from pathlib import Path

import pytest

_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
_BESIDE = Path(__file__).parents[3] / "shared" / "data" / "tinyshakespeare.txt"


def tiny_shakespeare() -> Path:
    """Returns the file; skips the test if it is not there."""
    path = Path(os.environ.get("NEXTCHAR_TINY_SHAKESPEARE", _BESIDE))
    if not path.is_file():
        pytest.skip("no tinyshakespeare.txt (set NEXTCHAR_TINY_SHAKESPEARE)")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == _SHA256
    return path
