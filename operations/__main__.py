"""Writes every file that is made from definitions in the code (`python -m operations`, or `make docs`).

With `--check` it writes nothing; it names the files that are out of date and exits with status 1.
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from operations import blocking_client, configuration, dashboard, metrics_page, rules, training_page

_ROOT = Path(__file__).parents[1]

FILES: dict[str, Callable[[], str]] = {
    "docs/configuration.md": configuration.page,
    "docs/metrics.md": metrics_page.page,
    "docs/training.md": training_page.page,
    "helm/nextchar/files/dashboard.json": dashboard.text,
    "helm/nextchar/files/rules.yaml": rules.text,
    **{
        f"server/nextchar/client/blocking/{module}.py": partial(blocking_client.text, module)
        for module in blocking_client.MODULES
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m operations", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="Write nothing; exit with status 1 if a file is out of date."
    )
    check = parser.parse_args().check
    stale = [name for name, make in FILES.items() if current(name) != make()]
    for name in stale:
        print(f"{name} is out of date: make docs" if check else f"writing {name}")
        if not check:
            path = _ROOT / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(FILES[name](), encoding="utf-8")
    sys.exit(check and bool(stale))


def current(name: str) -> str | None:
    """Returns the present text of a file; None if it does not exist."""
    path = _ROOT / name
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    main()
