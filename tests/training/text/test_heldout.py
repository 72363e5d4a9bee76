"""An evaluation cuts the text exactly as the training did, whatever the options were."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from support.tiny_models import TinyModel

from nextchar.errors import InvalidRequest
from nextchar.model.card import Card
from nextchar.model.vocabulary import Vocabulary
from nextchar_training.text import named
from nextchar_training.text.config import TextConfig
from nextchar_training.text.corpus import Corpus
from nextchar_training.text.heldout import RECORD, heldout_split, text_record
from nextchar_training.text.preparation import read_text
from nextchar_training.text.split import Split, split_digest

_LINES = [f"line {k:03} of é{'a' * (k % 5)}\u0301 and_more" for k in range(120)]


@dataclass(frozen=True)
class _Trained:
    """What a training records of its text, without the training."""

    config: TextConfig
    corpus: Corpus
    split: Split

    def card(self, **provenance: Any) -> Card:
        facts = {
            "corpus": self.corpus.name,
            "corpus_sha256": self.corpus.sha256,
            "corpus_source": self.corpus.source,
            "split": self.split.description,
            "split_sha256": split_digest(self.split),
            RECORD: text_record(self.config),
        }
        config = self.config
        bytewise = config.symbols == "bytes"
        vocabulary = Vocabulary(
            tuple(map(chr, range(256))) if bytewise else tuple("abc"),
            config.unit,
            "refuse" if bytewise else "symbol",
            config.normalization,
            config.symbols,
            config.case_folding,
        )
        merged = {name: value for name, value in (facts | provenance).items() if value is not None}
        return TinyModel("gru", vocabulary=vocabulary).card(provenance=merged)


def _trained(**options: Any) -> _Trained:
    config = TextConfig(**options)
    return _Trained(config, *read_text(config))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve files of text and one of another kind; one file has no newline at its end."""
    root = tmp_path / "texts"
    root.mkdir()
    for k in range(12):
        (root / f"{k:02}.txt").write_text("\n".join(_LINES[10 * k : 10 * k + 10]) + "\n" * (k != 3))
    (root / "other.md").write_text("of another kind\n" * 20)
    return root


def _file(folder: Path, name: str, lines: list[str]) -> str:
    path = folder.parent / name
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"heldout": 0.25, "development": 0.2},
        {"heldout": 500, "development": 0},
        {"split": "document", "heldout": 0.3, "development": 0.1},
        {"unit": "line"},
        {"unit": "line", "heldout": 17, "development": 9},
        {"unit": "line", "split": "document"},
        {"pattern": "*.txt", "split": "document", "heldout": 0.3},
        {"pattern": "0*.txt"},
        {"layout": "spaced"},
        {"layout": "spaced", "unit": "line"},
        {"symbols": "bytes", "heldout": 0.3},
        {"symbols": "bytes", "unit": "line"},
        {"normalization": "NFC", "split": "document", "heldout": 0.3},
        {"case_folding": "lower", "unit": "line"},
        {"normalization": "NFC", "layout": "spaced", "pattern": "*.txt", "unit": "line"},
    ],
    ids=str,
)
def test_the_own_text_is_cut_as_for_training(folder: Path, options: dict[str, Any]) -> None:
    trained = _trained(corpus=str(folder), **options)
    assert heldout_split(trained.card(), str(folder)) == trained.split


@pytest.mark.parametrize("unit", ["text", "line"])
@pytest.mark.parametrize("with_development", [True, False])
def test_given_files_are_the_parts_again(folder: Path, unit: str, with_development: bool) -> None:
    files = {
        "corpus": _file(folder, "a.txt", _LINES[:60]),
        "heldout_file": _file(folder, "c.txt", _LINES[80:]),
    }
    if with_development:
        files["development_file"] = _file(folder, "b.txt", _LINES[60:80])
    trained = _trained(**files, unit=unit, layout="spaced")
    assert heldout_split(trained.card(), **files) == trained.split
    alone = heldout_split(trained.card(), heldout_file=files["heldout_file"])
    assert len(alone.train) == len(alone.development) == 0
    assert sorted(str(alone.heldout).split("\n")) == sorted(str(trained.split.heldout).split("\n"))


def test_the_named_corpus_of_a_model_need_not_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    plays = named.NamedCorpus("text", "none", "a package", lambda: iter(f"{line}\n" * 9 for line in _LINES))
    monkeypatch.setitem(named.NAMED, "plays", plays)
    trained = _trained(corpus="plays", split="document", heldout=0.2)
    assert heldout_split(trained.card()) == trained.split
    with pytest.raises(InvalidRequest, match="its SHA-256 differs; give --corpus"):
        heldout_split(trained.card(corpus_sha256="0" * 64))


@pytest.mark.parametrize(
    ("flags", "options"),
    [
        ("", {}),
        ("--heldout 0.2 --development 0.0", {"heldout": 0.2, "development": 0}),
        (
            "--split document --heldout 0.3 --pattern '*.txt'",
            {"split": "document", "heldout": 0.3, "pattern": "*.txt"},
        ),
        ("--layout spaced --unit line", {"layout": "spaced", "unit": "line"}),
    ],
)
def test_a_card_that_does_not_record_its_text_has_its_command(
    folder: Path, flags: str, options: dict[str, Any]
) -> None:
    trained = _trained(corpus=str(folder), **options)
    command = f"nextchar train --corpus texts --name x {flags}"
    card = trained.card(command=command)
    older = card.model_copy(update={"provenance": {k: v for k, v in card.provenance.items() if k != RECORD}})
    assert heldout_split(older, str(folder)) == trained.split


def test_a_text_that_cannot_be_cut_as_for_training_is_refused(folder: Path) -> None:
    trained = _trained(corpus=str(folder), split="document", heldout=0.3)
    with pytest.raises(
        InvalidRequest, match=r"cannot be cut as for training \(whole documents.*--heldout-file"
    ):
        heldout_split(trained.card(**{RECORD: {}}), str(folder))


def test_what_was_held_out_as_a_file_must_be_given(folder: Path) -> None:
    files = {
        "corpus": _file(folder, "a.txt", _LINES[:60]),
        "heldout_file": _file(folder, "c.txt", _LINES[80:]),
        "development_file": _file(folder, "b.txt", _LINES[60:80]),
    }
    card = _trained(**files).card()
    assert str(folder.parent) not in json.dumps(card.provenance)
    with pytest.raises(InvalidRequest, match=r"trained with --heldout-file c\.txt: give that file too"):
        heldout_split(card, files["corpus"])
    with pytest.raises(InvalidRequest, match=r"trained with --development-file b\.txt: give that file too"):
        heldout_split(card, files["corpus"], heldout_file=files["heldout_file"])
    with pytest.raises(InvalidRequest, match="--development-file needs --heldout-file"):
        heldout_split(card, files["corpus"], development_file=files["development_file"])


@pytest.mark.parametrize("options", [{}, {"unit": "line"}, {"split": "document"}], ids=str)
def test_no_more_is_held_out_than_was_for_training(folder: Path, options: dict[str, Any]) -> None:
    trained = _trained(corpus=str(folder), heldout=0.3, **options)
    less = heldout_split(trained.card(), str(folder), heldout=0.15)
    assert 0 < len(less.heldout) < len(trained.split.heldout)
    assert set(_whole_lines(less)) <= set(_whole_lines(trained.split))
    with pytest.raises(InvalidRequest, match=r"--heldout 0\.5 is .* more than .* give at most 0\.3"):
        heldout_split(trained.card(), str(folder), heldout=0.5)


def _whole_lines(split: Split) -> list[str]:
    """The held-out lines but the first, which a cut by position may leave a part of."""
    return str(split.heldout).split("\n")[1:]


def test_of_another_text_the_end_is_held_out_and_the_split_says_so(folder: Path) -> None:
    trained = _trained(corpus=str(folder), split="document", heldout=0.3)
    other = _file(folder, "other.txt", _LINES[:50])
    split = heldout_split(trained.card(), other)
    whole = str(split.train) + str(split.heldout)
    assert whole == "\n".join(_LINES[:50]) + "\n"
    assert len(split.heldout) == pytest.approx(len(whole) * TextConfig.heldout, abs=1)
    assert split.description.startswith("not the text of the training; ")
    assert len(heldout_split(trained.card(), other, heldout=0.5).heldout) == pytest.approx(
        len(whole) / 2, abs=1
    )


def test_a_model_of_a_file_needs_that_file(folder: Path) -> None:
    trained = _trained(corpus=str(folder))
    with pytest.raises(InvalidRequest, match="give --corpus"):
        heldout_split(trained.card())


def test_the_record_is_every_option_of_the_text_that_the_card_does_not_hold_elsewhere() -> None:
    config = TextConfig(corpus="x")
    elsewhere = {
        *("corpus", "unit", "symbols", "normalization", "case_folding", "unknown", "min_count"),
    }
    assert set(text_record(config)) | elsewhere == set(vars(config))
    assert set(text_record(config)).isdisjoint(elsewhere)
    assert text_record(replace(config, heldout_file="/a/b.txt"))["heldout_file"] == "b.txt"
