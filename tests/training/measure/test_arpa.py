import io
import math

import numpy as np
import pytest

from nextchar.model.vocabulary import Vocabulary
from nextchar_training.measure.arpa import words, write_arpa
from nextchar_training.measure.kneser_ney import KneserNey

ORDER = 4
Grams = dict[tuple[str, ...], tuple[float, float]]


def _read(text: str) -> tuple[list[int], Grams]:
    """The counts of the header, and p and back-off of every gram, base 10."""
    counts, grams = [], {}
    for line in text.splitlines():
        if line.startswith("ngram "):
            counts.append(int(line.split("=")[1]))
        elif "\t" in line:
            log, gram, *backoff = line.split("\t")
            grams[tuple(gram.split(" "))] = (float(log), float(backoff[0]) if backoff else 0.0)
    return counts, grams


def _score(grams: Grams, context: tuple[str, ...], word: str) -> float:
    """Base-10 log-probability with back-off, as the readers of the format compute it."""
    gram = (*context[max(0, len(context) - ORDER + 1) :], word)
    if gram in grams:
        return grams[gram][0]
    shorter = gram[:-1]
    return (grams[shorter][1] if shorter in grams else 0.0) + _score(grams, gram[1:-1], word)


def _lines_model() -> tuple[KneserNey, Vocabulary]:
    vocabulary = Vocabulary((" ", "a", "b", "c", "\u00a0"), unit="line")  # the last is never seen
    random = np.random.default_rng(0)
    lines = [random.integers(0, 4, random.integers(0, 9)) for _ in range(80)]
    ids = np.concatenate([np.array([vocabulary.begin_id, *line, vocabulary.end_id]) for line in lines])
    begin, size = vocabulary.begin_id, vocabulary.num_outputs
    return KneserNey.fit(ids, order=ORDER, num_symbols=size, begin_id=begin), vocabulary


def _written(model: KneserNey, vocabulary: Vocabulary) -> tuple[list[int], Grams]:
    file = io.StringIO()
    write_arpa(model, vocabulary, file)
    return _read(file.getvalue())


def test_white_space_and_special_symbols_are_words() -> None:
    vocabulary = Vocabulary(("\n", " ", "a"), unit="line")
    assert words(vocabulary) == ["U+000A", "U+0020", "a", "<unk>", "</s>", "<s>"]


def test_a_reader_with_back_off_finds_the_numbers_of_the_model() -> None:
    model, vocabulary = _lines_model()
    counts, grams = _written(model, vocabulary)
    names = words(vocabulary)
    random = np.random.default_rng(1)
    assert sum(counts) == len(grams)
    for size in (0, 1, 2, 3, 8) * 5:
        line = np.array([vocabulary.begin_id, *random.integers(0, vocabulary.num_outputs - 1, size)])
        expected = model.logprobs(line)
        text = tuple(names[i] for i in line)
        found = [_score(grams, text[:i], text[i]) * math.log(10) for i in range(1, len(text))]
        assert found == pytest.approx(expected[1:], abs=1e-5)


def test_what_is_read_and_never_predicted_has_no_mass() -> None:
    _, grams = _written(*_lines_model())
    assert grams[("<s>",)][0] == -99
    assert not [gram for gram in grams if len(gram) > 1 and gram[-1] == "<s>"]
    after_a = [
        10 ** _score(grams, ("a",), name) for name in ("U+0020", "a", "b", "c", "U+00A0", "<unk>", "</s>")
    ]
    assert sum(after_a) == pytest.approx(1, abs=1e-5)


def test_running_text_needs_no_begin() -> None:
    vocabulary = Vocabulary(("a", "b"), unknown="refuse")
    ids = np.random.default_rng(2).integers(0, 2, 200)
    model = KneserNey.fit(ids, order=ORDER, num_symbols=2)
    _, grams = _written(model, vocabulary)
    names = words(vocabulary)
    assert grams[("</s>",)][0] == grams[("<s>",)][0] == -99  # KenLM refuses a file without them
    text = tuple(names[i] for i in ids[:30])
    found = [_score(grams, text[:i], text[i]) * math.log(10) for i in range(len(text))]
    assert found == pytest.approx(model.logprobs(ids[:30]), abs=1e-5)
