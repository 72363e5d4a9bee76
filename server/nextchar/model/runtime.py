"""Imports onnxruntime with its telemetry off, and opens sessions; the only module that imports it."""

import os
from pathlib import Path

# onnxruntime reports usage to its vendor and keeps an identifier for it in the home folder. A server of
# other people's text reports nothing. The variable is read once, when the library is loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime as ort

__all__ = ["open_session", "ort"]

_ERRORS_ONLY = 3  # onnxruntime's log severity


def open_session(content: bytes, *, library: Path | None = None) -> ort.InferenceSession:
    """Opens a graph for calls that use one thread each; `library` has its custom operators."""
    options = ort.SessionOptions()
    # A step is too short to split over threads; engines run in parallel instead, one thread each.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    if library is not None:
        options.register_custom_ops_library(str(library))
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"], enable_fallback=0)
