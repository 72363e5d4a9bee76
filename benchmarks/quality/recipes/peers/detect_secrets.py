"""Scores strings with detect-secrets, JSON in and out; it scans them as lines of a file of code, as it comes.

The score is the entropy that its plugin for the string's alphabet computes, over that plugin's limit.
"""

import json
import re
import sys
import tempfile
from pathlib import Path

# The script is named like the package.
sys.path.pop(0)
from detect_secrets import SecretsCollection
from detect_secrets.plugins.high_entropy_strings import Base64HighEntropyString, HexHighEntropyString
from detect_secrets.settings import default_settings

_HEX = re.compile(r"[0-9a-fA-F]+")


def flagged_lines(strings: list[str]) -> set[int]:
    """Returns the numbers of the strings in which it finds a secret."""
    with tempfile.TemporaryDirectory() as folder, default_settings():
        file = Path(folder) / "values.py"
        file.write_text("".join(f'value = "{string}"\n' for string in strings))
        found = SecretsCollection()
        found.scan_file(str(file))
        return {secret.line_number - 1 for _, secret in found}


def main() -> None:
    wide, hexadecimal = Base64HighEntropyString(), HexHighEntropyString()
    strings = json.load(sys.stdin)
    scores = []
    for string in strings:
        plugin = hexadecimal if _HEX.fullmatch(string) else wide
        scores.append(plugin.calculate_shannon_entropy(string) / plugin.entropy_limit)
    flagged = flagged_lines(strings)
    print(json.dumps({"scores": scores, "flagged": [i in flagged for i in range(len(strings))]}))


main()
