"""Compiled cells for the int8 step graphs of nextchar, as a library of custom operators for onnxruntime.

`nextchar` uses them where this package is installed; nothing else needs to be called.
"""

import ctypes
import sys
from pathlib import Path

INTERFACE = 1
"""The number of the operators' names, inputs and outputs; it changes with any of them."""

_SUFFIXES = {"win32": ".dll"}


def library_path() -> Path:
    """Returns the path of the library, for `SessionOptions.register_custom_ops_library`."""
    return Path(__file__).with_name("cells" + _SUFFIXES.get(sys.platform, ".so"))


def path_name() -> str | None:
    """Returns which implementation graphs use here: avx512, avx2 or portable; None if there is none."""
    function = ctypes.CDLL(str(library_path())).nextchar_kernels_path
    function.restype = ctypes.c_char_p
    name: bytes | None = function()
    return None if name is None else name.decode()
