"""Makes an environment for each package that recipes are compared with, and asks the package in it."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.recipes.trial import Answer

_PEERS = Path(__file__).with_name("peers")
DEFAULT_FOLDER = Path(tempfile.gettempdir()) / "nextchar-recipes"


@dataclass(frozen=True)
class Environments:
    """The environments of packages, one folder each."""

    folder: Path = DEFAULT_FOLDER

    def scores(self, name: str, strings: list[str], *arguments: str) -> Answer | str:
        """Returns what a package says of strings, or why it cannot be asked."""
        found = self.ask(name, strings, *arguments)
        if isinstance(found, str):
            return found
        flagged = found.get("flagged")
        scores = np.array(found["scores"], dtype=np.float64)
        return Answer(scores, None if flagged is None else np.array(flagged, dtype=bool))

    def ask(self, name: str, strings: list[str], *arguments: str) -> dict[str, Any] | str:
        """Runs `peers/NAME.py` in the package's environment, with strings as JSON; returns its JSON.

        Raises:
            CalledProcessError: the script failed; what it printed is shown.
        """
        python = self._installed(name)
        if python is None:
            return "its package could not be installed"
        command = [str(python), str(_PEERS / f"{name}.py"), *arguments]
        environment = os.environ | {"TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        environment.pop("PYTHONPATH", None)
        done = subprocess.run(
            command, input=json.dumps(strings), stdout=subprocess.PIPE, text=True, check=True, env=environment
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def _installed(self, name: str) -> Path | None:
        """Returns the Python of an environment, which is made and filled if it is not there."""
        home = self.folder / name
        python, marker = home / "bin" / "python", home / "installed.txt"
        wanted = requirements()[name]
        if not marker.exists() or marker.read_text() != " ".join(wanted):
            print(f"installing {', '.join(wanted)} into {home}", file=sys.stderr, flush=True)
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
            pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted]
            if subprocess.run(pip, check=False).returncode:
                return None
            marker.write_text(" ".join(wanted))
        return python


def requirements() -> dict[str, list[str]]:
    """Returns the pinned requirements of each environment."""
    lines = (_PEERS / "peers.txt").read_text().splitlines()
    rows = [line.split() for line in lines if line and not line.startswith("#")]
    return {name: packages for name, *packages in rows}
