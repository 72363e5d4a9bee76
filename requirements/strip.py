"""Removes from an environment what serving never loads: tests, headers, type stubs, onnxruntime's tools.

python requirements/strip.py ENVIRONMENT
"""

import shutil
import sys
from pathlib import Path

# Under site-packages; onnxruntime's own converters need onnx or torch, which serving does not install.
_FOLDERS = (
    "numpy/*/tests",
    "numpy/tests",
    "numpy/_core/include",
    "numpy/_core/lib",
    "numpy/random/lib",
    "numpy/f2py",
    "onnxruntime/datasets",
    "onnxruntime/quantization",
    "onnxruntime/tools",
    "onnxruntime/transformers",
)
_SUFFIXES = {".pyi", ".pxd", ".pyx", ".h", ".c"}


def main(environment: Path) -> None:
    (packages,) = environment.glob("lib/python3.*/site-packages")
    for pattern in _FOLDERS:
        for folder in packages.glob(pattern):
            shutil.rmtree(folder)
    for path in [path for path in packages.rglob("*") if path.suffix in _SUFFIXES]:
        path.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
