"""Makes judges for tests: fitted to strings of two tiny alphabets, under a model that is known exactly."""

import math
import random

import numpy as np

from nextchar.model.card import VocabularyCard
from nextchar.model.judging.card import JudgeCard, NormalCard, ReferenceCard, ReferencesCard, digest_of
from nextchar.model.judging.judge import Judge, num_unknown
from nextchar.model.judging.reference import references_to_bytes
from nextchar.model.vocabulary import Vocabulary
from nextchar_training.judging.fit import Fitted, fit
from nextchar_training.judging.references import fit_reference
from nextchar_training.judging.scored import Scored

VOCABULARY = Vocabulary(tuple("abcdxyz."), unit="line")
_LIKELY, _RARE = "abcd", "xyz."
_END = 0.1


def logprobs_of(text: str) -> np.ndarray:
    """Returns the log-probabilities of a model that writes `abcd` 20 times as often as `xyz.`."""
    each = {c: math.log((1 - _END) * 0.95 / 4) for c in _LIKELY} | {
        c: math.log((1 - _END) * 0.05 / 5) for c in _RARE
    }
    unknown = math.log((1 - _END) * 0.05 / 5)
    return np.array([*(each.get(c, unknown) for c in text), math.log(_END)])


def normal_string(draw: random.Random) -> str:
    """Returns a string as the model writes them."""
    size = draw.randint(3, 12)
    return "".join(draw.choice(_RARE if draw.random() < 0.05 else _LIKELY) for _ in range(size))


def bad_string(draw: random.Random) -> str:
    """Returns a string of a program that alternates two characters, which is usual character by character."""
    first, second = draw.sample("ab", 2)
    return (first + second) * draw.randint(3, 6)


def scored(name: str, texts: list[str]) -> Scored:
    """Scores strings with the model of `logprobs_of`."""
    ids = VOCABULARY.encode_all(texts)
    return Scored(name, texts, ids, [logprobs_of(t) for t in texts], num_unknown(ids, VOCABULARY))


def normal_strings(num: int, seed: int = 0) -> list[str]:
    """Returns strings as the model writes them."""
    draw = random.Random(seed)
    return [normal_string(draw) for _ in range(num)]


def bad_strings(num: int, seed: int = 1) -> list[str]:
    """Returns strings of a program."""
    draw = random.Random(seed)
    return [bad_string(draw) for _ in range(num)]


def fitted(num_normal: int = 2000, *, knows_bad: bool = False) -> Fitted:
    """Fits a judge."""
    bad = scored("ab", bad_strings(200))
    references = [fit_reference("ab", bad.ids, VOCABULARY)] if knows_bad else []
    return fit(scored("normal", normal_strings(num_normal)), references)


def judge_card(found: Fitted, *, digest: str = "0" * 64) -> tuple[JudgeCard, bytes]:
    """Returns the card of a judge and the content of its `references.npz`."""
    content = references_to_bytes(list(found.references)) if found.references else b""
    kinds = [ReferenceCard(name=r.name, order=len(r.grams), num_strings=200) for r in found.references]
    vocabulary = VocabularyCard(
        characters=list(VOCABULARY.characters), unit="line", unknown="symbol", normalization="none"
    )
    card = JudgeCard(
        name="test",
        normal=NormalCard(model="tiny", version="1", digest=digest, vocabulary=vocabulary),
        references=ReferencesCard(digest=digest_of(content), kinds=kinds) if kinds else None,
        weights=found.weights,
        novelty_share=found.novelty_share,
        curves=found.curves,
        score=found.score,
        num_normal=found.num_normal,
        false_alarms=found.false_alarms,
        default_rate=0.01,
        provenance={},
    )
    return card, content


def judge(num_normal: int = 2000, *, knows_bad: bool = False) -> Judge:
    """Makes a judge in memory."""
    return Judge.of(*judge_card(fitted(num_normal, knows_bad=knows_bad)))
