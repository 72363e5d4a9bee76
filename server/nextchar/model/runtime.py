"""Imports onnxruntime with its telemetry off; the only module that imports it."""

import os

# onnxruntime reports usage to its vendor and keeps an identifier for it in the home folder. A server of
# other people's text reports nothing. The variable is read once, when the library is loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime as ort

__all__ = ["ort"]
