"""Prints the common passwords that Django refuses, in its order, as JSON."""

import gzip
import json
from importlib.util import find_spec
from pathlib import Path


def main() -> None:
    spec = find_spec("django")
    assert spec is not None
    assert spec.origin is not None
    file = Path(spec.origin).parent / "contrib" / "auth" / "common-passwords.txt.gz"
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        print(json.dumps({"passwords": [line.strip() for line in lines if line.strip()]}))


main()
