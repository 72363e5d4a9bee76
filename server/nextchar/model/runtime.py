"""Imports onnxruntime with its telemetry off; the only module that imports it."""

import os

# onnxruntime reports to its maker, and keeps an identifier in the home folder for it. A server of
# other people's text reports nothing. The variable is read once, when the library is loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime as ort

__all__ = ["ort"]
