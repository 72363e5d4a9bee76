"""Every benchmark can be imported: nothing it measures with has moved away from it."""

import importlib
import pkgutil

import benchmarks
import pytest

# They run in environments of their own, which have the libraries of others.
_ELSEWHERE = (
    "benchmarks.peers",
    "benchmarks.drills.doubled.openai_client",
    "benchmarks.drills.doubled.page_client",
)
_MODULES = [
    module.name
    for module in pkgutil.walk_packages(benchmarks.__path__, "benchmarks.")
    if not module.name.startswith(_ELSEWHERE)
]


@pytest.mark.parametrize("name", _MODULES)
def test_a_benchmark_can_be_imported(name: str) -> None:
    importlib.import_module(name)
