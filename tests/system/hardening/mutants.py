"""mutmut over a package of the code: what share of small faults do the tests notice?

    python -m hardening.mutants engine --sample 300      # make mutants PACKAGE=engine SAMPLE=300

Each fault (a mutant) is first tried by the tests of the package's own folder. Those that survive are tried
by the tests of the folders that use the package. The sample is drawn at random from a fixed seed, so the
same code has the same sample.
"""

import os
import random
import re
import shutil
import subprocess
import sys
import sysconfig
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click
from support.tools import tool_python

_ROOT = Path(__file__).parents[3]
_BUILD = _ROOT / "build" / "mutants"
_BESIDE = ("operations", "benchmarks", "helm", "proto", "models", "requirements")
_NOTICED = ("killed", "timeout", "segfault")
_SEED = 23
_NO_MUTANT = "none-has-this-name"


@dataclass(frozen=True)
class Package:
    """Names the files that are changed, the tests of their own, and the tests of what uses them."""

    files: str
    own: tuple[str, ...]
    users: tuple[str, ...]


PACKAGES = {
    "engine": Package(
        "nextchar/engine/*",
        ("tests/engine",),
        (
            "tests/service/inference",
            "tests/repository",
            "tests/telemetry",
            "tests/service/test_one_answer.py",
        ),
    ),
    "service": Package(
        "nextchar/service/*",
        ("tests/service/inference", "tests/service/oip", "tests/service/sessions"),
        (
            "tests/service",
            "tests/rest/test_bad_input.py",
            "tests/rest/test_event_stream.py",
            "tests/rpc",
            "tests/security",
            "tests/client",
        ),
    ),
    "network": Package(
        "nextchar_training/network/*",
        ("tests/training/network",),
        ("tests/training/batches", "tests/training/export", "tests/training/inside", "tests/training/run"),
    ),
}

_PROJECT = """
[tool.pytest.ini_options]
pythonpath = ["tests", "."]
addopts = "-q -p no:cacheprovider"
markers = ["quick", "standard", "long"]
[tool.mutmut]
source_paths = ["nextchar", "nextchar_training"]
only_mutate = ["{files}"]
also_copy = [{beside}]
pytest_add_cli_args_test_selection = [{tests}]
process_isolation = "forkserver"
timeout_multiplier = 10.0
timeout_constant = 4.0
use_git_change_detection = false
track_dependencies = false
"""


class Workspace:
    """Holds a copy of the code in the layout that mutmut expects: packages at the top."""

    def __init__(self, folder: Path, package: Package, tests: Iterable[str]) -> None:
        self._folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(_ROOT / "server" / "nextchar", folder / "nextchar")
        shutil.copytree(_ROOT / "training" / "nextchar_training", folder / "nextchar_training")
        for name in ("tests", *_BESIDE):
            shutil.copytree(_ROOT / name, folder / name)
        project = _PROJECT.format(files=package.files, beside=_quoted(_BESIDE), tests=_quoted(tests))
        (folder / "pyproject.toml").write_text(project)

    def names(self) -> list[str]:
        """Makes the mutants, learns which tests reach which function, and returns the mutants' names."""
        self._mutmut("run", _NO_MUTANT)
        return sorted(self.results())

    def run(self, names: list[str]) -> dict[str, str]:
        """Tries mutants; returns what became of each."""
        self._mutmut("run", "--max-children", str(os.cpu_count()), *names)
        found = self.results()
        return {name: found[name] for name in names}

    def results(self) -> dict[str, str]:
        printed = self._mutmut("results", "--all", "true")
        return dict(re.findall(r"^ +(\S+__mutmut_\d+): (.+)$", printed, re.MULTILINE))

    def difference(self, name: str) -> str:
        """Returns what a mutant changes, as a unified difference."""
        return self._mutmut("show", name)

    def _mutmut(self, *arguments: str) -> str:
        places = [str(self._folder / "mutants"), sysconfig.get_path("purelib")]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(places), "OMP_NUM_THREADS": "1"}
        command = [str(tool_python("mutmut")), "-m", "mutmut", *arguments]
        done = subprocess.run(
            command, cwd=self._folder, env=environment, capture_output=True, text=True, check=False
        )
        return done.stdout


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


@click.command()
@click.argument("package", type=click.Choice(list(PACKAGES)))
@click.option("--sample", default=300, help="The number of mutants to try; 0 tries all of them.")
@click.option("--show/--no-show", default=True, help="Print what each mutant that survives has changed.")
def main(package: str, sample: int, show: bool) -> None:
    """Print the share of mutants that the tests notice, and those that survive."""
    chosen = PACKAGES[package]
    own = Workspace(_BUILD / f"{package}-own", chosen, chosen.own)
    names = own.names()
    assert names, "mutmut made no mutant, or its tests fail without one"
    tried = random.Random(_SEED).sample(names, sample) if 0 < sample < len(names) else names
    found = own.run(tried)
    left = [name for name, what in found.items() if what not in _NOTICED]
    if left:
        users = Workspace(_BUILD / f"{package}-users", chosen, chosen.users)
        users.names()
        found |= users.run(left)
    survivors = [name for name, what in found.items() if what not in _NOTICED]
    for name in survivors if show else ():
        click.echo(f"\n{name}: {found[name]}\n{own.difference(name)}")
    counts = ", ".join(f"{count} {what}" for what, count in Counter(found.values()).most_common())
    share = 1 - len(survivors) / len(tried)
    click.echo(f"{package}: {len(tried)} of {len(names)} mutants tried: {counts}; {share:.1%} noticed")


if __name__ == "__main__":
    sys.exit(main())
