"""Finds the compiled cells of the optional package `nextchar-kernels`.

The library is code, so it is taken from the installed package alone and never from a folder of models.
"""

import importlib
from dataclasses import dataclass
from pathlib import Path

_PACKAGE = "nextchar_kernels"
_INTERFACE = 1  # of the operators' names, inputs and outputs, which `fusing` writes


class KernelsUnusable(Exception):
    """Says why compiled cells are not used."""


@dataclass(frozen=True, slots=True)
class KernelLibrary:
    """A library of custom operators, and which implementation of them this processor runs."""

    path: Path
    path_name: str


def find_library() -> KernelLibrary | None:
    """Returns the library of the installed package; None where it is not installed.

    Raises:
        KernelsUnusable: the package is another version's, or does not work on this machine.
    """
    try:
        package = importlib.import_module(_PACKAGE)
        if package.INTERFACE != _INTERFACE:
            raise KernelsUnusable(
                f"nextchar-kernels has operators of interface {package.INTERFACE}, this version of nextchar "
                f"needs {_INTERFACE}: install the nextchar-kernels of the same release"
            )
        path, name = package.library_path(), package.path_name()
    except KernelsUnusable:
        raise
    except Exception as error:  # a package that is damaged, or another of the name, raises anything
        if isinstance(error, ModuleNotFoundError) and error.name == _PACKAGE:
            return None
        raise KernelsUnusable(f"the package cannot be loaded: {error!r}"[:400]) from error
    if name is None:
        raise KernelsUnusable(
            "this processor has neither AVX-512 nor AVX2 with FMA, or not what NEXTCHAR_KERNELS_PATH names"
        )
    return KernelLibrary(path, name)
