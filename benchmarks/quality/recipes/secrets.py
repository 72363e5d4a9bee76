"""Secrets in code: names and string literals of programs against generated keys.

The judge's model is `python`, which has read the standard library. It is calibrated on the source of some
packages and asked about that of others, so that no project is on both sides. Strings that both have, or that
the standard library has, are left out of the held-out ones. Real source has digests and keys of examples in
it; they were not taken out, and are false alarms for everyone.
"""

import shutil
from pathlib import Path

from benchmarks.quality.entropy import entropies
from benchmarks.quality.recipes.commands import fitted_judge, judged, write_lines
from benchmarks.quality.recipes.environments import Environments
from benchmarks.quality.recipes.keys import keys
from benchmarks.quality.recipes.source_strings import of_packages, standard_library
from benchmarks.quality.recipes.trial import Answer, Table, Trial

NORMAL = ("grpcio", "matplotlib", "mypy", "onnx", "pip", "setuptools", "sympy")
HELD_OUT = (
    "anyio",
    "click",
    "fastapi",
    "httpx",
    "numpy",
    "protobuf",
    "pydantic",
    "pytest",
    "rich",
    "starlette",
)
NUM_KEYS = 500
_SEED, _OTHER_SEED = 27, 28


def measure(folder: Path, environments: Environments, model: Path) -> Table:
    """Fits a judge to strings of source and compares it with scanners' entropy."""
    known = standard_library()
    listed = [string for string in of_packages(NORMAL) if string not in known]
    known |= set(listed)
    normal = [string for string in of_packages(HELD_OUT) if string not in known]
    table = Table(Trial(normal, keys(NUM_KEYS, _SEED)))
    strings = table.trial.strings
    table.add("Shannon entropy", Answer(entropies(strings)))
    table.add("`truffleHog` 2, entropy", environments.scores("trufflehog", strings))
    table.add("`detect-secrets`", environments.scores("detect_secrets", strings))
    shutil.copytree(model, folder / "models" / model.name, dirs_exist_ok=True)
    fitted_judge(folder, "secrets", listed, "--model", model.name)
    table.add("judge, no secret known", judged(folder, "secrets", strings))
    write_lines(folder / "hex.txt", keys(NUM_KEYS, _OTHER_SEED)["hex"])
    fitted_judge(folder, "secrets-hex", listed, "--model", model.name, "--bad", "hex.txt")
    table.add("judge, given 500 other hex keys", judged(folder, "secrets-hex", strings))
    return table
