"""Writes an n-gram model as an ARPA file, the format that KenLM, SRILM and others read.

A character is a word there: white space and control characters are written as `U+000A`, begin, end and
unknown as `<s>`, `</s>` and `<unk>`. A listed probability of an interpolated model includes all lower orders,
and the back-off weight is the mass left to them, so that reading with back-off gives the same numbers.
"""

from collections.abc import Iterator
from typing import TextIO

import numpy as np

from nextchar.model.vocabulary import Vocabulary
from nextchar_training.measure.kneser_ney import KneserNey, Table

_NEVER = -99.0  # the customary log-probability of a symbol that is only read


def word(character: str) -> str:
    """Returns a character as a word of an ARPA file, whose words are separated by white space."""
    plain = character.isprintable() and not character.isspace()
    return character if plain else f"U+{ord(character):04X}"


def words(vocabulary: Vocabulary) -> list[str]:
    """Returns the words of all ids, begin last; after it the end, which readers of the format require."""
    named = {vocabulary.unknown_id: "<unk>", vocabulary.end_id: "</s>", vocabulary.begin_id: "<s>"}
    ids = range(vocabulary.num_inputs)
    found = [named.get(i) or word(vocabulary.characters[i]) for i in ids]
    return found if vocabulary.end_id is not None else [*found, "</s>"]


def write_arpa(model: KneserNey, vocabulary: Vocabulary, file: TextIO) -> None:
    """Writes the model, whose ids are the vocabulary's; about 30 bytes per n-gram."""
    unigrams, *longer = model.tables()
    names = words(vocabulary)
    tables = [_all_unigrams(unigrams, model, len(names), vocabulary.num_outputs)]
    tables += [_predicted(table, vocabulary.begin_id) for table in longer]
    file.write("\\data\\\n")
    file.writelines(f"ngram {k}={len(table.symbols)}\n" for k, table in enumerate(tables, start=1))
    for k, table in enumerate(tables, start=1):
        file.write(f"\n\\{k}-grams:\n")
        file.writelines(_lines(table, names, with_backoff=k < len(tables)))
    file.write("\n\\end\\\n")


def _all_unigrams(seen: Table, model: KneserNey, num_words: int, num_outputs: int) -> Table:
    """Returns the unigrams of all words: unseen symbols are possible, begin is not."""
    outputs = np.arange(num_outputs)
    probability, backoff = np.zeros(num_words), np.ones(num_words)
    probability[outputs] = np.exp([model.logprobs(outputs[i : i + 1])[0] for i in outputs])
    backoff[seen.symbols[:, 0]] = seen.backoff
    return Table(np.arange(num_words)[:, None], probability, backoff)


def _predicted(table: Table, begin_id: int) -> Table:
    keep = table.symbols[:, -1] != begin_id
    return Table(table.symbols[keep], table.probability[keep], table.backoff[keep])


def _lines(table: Table, names: list[str], *, with_backoff: bool) -> Iterator[str]:
    logs = np.where(table.probability > 0, np.log10(np.maximum(table.probability, 1e-99)), _NEVER)
    backoff = np.log10(np.maximum(table.backoff, 1e-99))
    for symbols, log, weight in zip(table.symbols.tolist(), logs.tolist(), backoff.tolist(), strict=True):
        text = " ".join([names[i] for i in symbols])
        yield f"{log:.7g}\t{text}\t{weight:.7g}\n" if with_backoff else f"{log:.7g}\t{text}\n"
