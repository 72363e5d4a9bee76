"""Checks that docs/operations.md names existing flags, files and targets."""

import re
from pathlib import Path

from nextchar.entrypoints.settings_reference import setting_texts

_ROOT = Path(__file__).parents[2]
_PAGE = (_ROOT / "docs/operations.md").read_text()
_OTHERS = {
    "--require-hashes",
    "--no-install-recommends",
    "--port",
    "--bind",
    "--appendonly",
    "--dir",
    "--daemonize",
    "--json",
    "--rounds",
}


def test_every_flag_it_names_is_a_setting() -> None:
    ours = {text.flag for text in setting_texts()}
    named = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", re.sub(r"--[\w.-]+=\S+", "", _PAGE)))
    assert named - _OTHERS <= ours


def test_every_file_and_target_it_names_is_there() -> None:
    for name in re.findall(r"(?<![\w/])(?:operations|helm|requirements|tests)/[\w./-]+\w", _PAGE):
        assert (_ROOT / name).exists(), name
    targets = set(re.findall(r"^([a-z-]+):", (_ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|[$] )make ([a-z-]+)", _PAGE)) <= targets
