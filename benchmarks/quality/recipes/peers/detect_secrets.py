"""Scores strings with detect-secrets, JSON in and out: its plugins as they come, on a line of code each.

The score is the entropy that its plugin for the string's alphabet computes, over that plugin's limit.
"""

import json
import re
import sys

# The script is named like the package.
sys.path.pop(0)
from detect_secrets.core.scan import scan_line
from detect_secrets.plugins.high_entropy_strings import Base64HighEntropyString, HexHighEntropyString
from detect_secrets.settings import default_settings

_HEX = re.compile(r"[0-9a-fA-F]+")


def main() -> None:
    wide, hexadecimal = Base64HighEntropyString(), HexHighEntropyString()
    strings = json.load(sys.stdin)
    scores = []
    for string in strings:
        plugin = hexadecimal if _HEX.fullmatch(string) else wide
        scores.append(plugin.calculate_shannon_entropy(string) / plugin.entropy_limit)
    with default_settings():
        flagged = [any(True for _ in scan_line(f'value = "{string}"')) for string in strings]
    print(json.dumps({"scores": scores, "flagged": flagged}))


main()
