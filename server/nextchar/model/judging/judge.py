"""Judges strings: turns their log-probabilities under the normal model into verdicts.

    judge = Judge.load(Path("judges/dga/1"))
    judge.check_model(graph.digest)                      # of the model whose log-probabilities are given
    found = judge.verdicts(strings, logprobs, false_alarm_rate=0.001)
    found.is_flagged, found.p_value, found.why(0)

Who calls this scores the strings: with an engine, a server or `symbol_logprobs`, from the begin symbol, each
with its end symbol if the model has one. Pure NumPy; safe to share between threads.
"""

import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from nextchar.errors import InvalidRequest, ModelFileError, shown_least
from nextchar.model.card import MAX_MODEL_BYTES
from nextchar.model.judging.card import (
    EVIDENCE,
    REFERENCES_NAME,
    JudgeCard,
    digest_of,
    finest_rate,
    read_judge,
    read_references,
)
from nextchar.model.judging.combination import Combination, Combined, Curve
from nextchar.model.judging.intervals import clopper_pearson
from nextchar.model.judging.reference import UNREADABLE, Reference, references_from_bytes
from nextchar.model.judging.reference_set import ReferenceSet
from nextchar.model.judging.statistics import statistics_of
from nextchar.model.judging.verdicts import AskedRate, Verdicts
from nextchar.model.regular_file import read_regular_file
from nextchar.model.surprise.curves import Doubles
from nextchar.model.vocabulary import Ids, Vocabulary

STEP_GRAPHS = ("step-int8.onnx", "step-float32.onnx")


class Judge:
    """A judge that was fitted: `nextchar judge fit` writes its folder."""

    def __init__(self, card: JudgeCard, references: Sequence[Reference] = ()) -> None:
        self.card, self.kinds = card, [reference.name for reference in references]
        self._references = ReferenceSet(references) if references else None
        self._combination, self._score = Combination.of(card), Curve(card.score)
        self._rates = np.log([*(row.rate for row in card.false_alarms), 1.0])
        self._bounds = np.log([*([max(row.low, 1e-12), row.high] for row in card.false_alarms), [1.0, 1.0]])

    @classmethod
    def load(cls, folder: Path, *, models: Path | None = None) -> "Judge":
        """Reads the judge in a folder `<name>/<version>`, and checks that its model is there and unchanged.

        `models` is the folder of models; by default `models` beside the folder of judges.

        Raises:
            ModelFileError: the judge cannot be read, or its model or references are gone or have changed.
        """
        card = read_judge(folder)
        model_file(card, models or models_beside(folder), folder)
        return cls.of(card, read_references(folder, card.references) if card.references else None)

    @classmethod
    def of(cls, card: JudgeCard, references: bytes | None) -> "Judge":
        """Makes a judge of its card and, if that has references, the checked content of `references.npz`.

        Raises:
            ModelFileError: the references are not those of the card.
        """
        if card.references is None:
            return cls(card)
        try:
            found = references_from_bytes(references or b"")
            if [reference.name for reference in found] != [kind.name for kind in card.references.kinds]:
                raise ValueError("its kinds are others")
            return cls(card, found)
        except UNREADABLE as error:
            raise ModelFileError(
                f"judge {card.name!r}: {REFERENCES_NAME} is not what its judge.json describes ({error}); fit "
                "the judge again"
            ) from error

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """How the normal model reads text."""
        return self.card.normal.vocabulary.make()

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the card, which names the model and the references by theirs."""
        return digest_of(self.card.to_json().encode())

    @property
    def finest_rate(self) -> float:
        """The finest rate of false alarms that may be asked for: a tenth of one normal string."""
        return finest_rate(self.card.num_normal)

    def check_model(self, digest: str) -> None:
        """Checks that a model is the one that the judge was fitted with.

        Raises:
            ModelFileError: it is another.
        """
        wanted = self.card.normal
        if digest != wanted.digest:
            raise ModelFileError(
                f"judge {self.card.name!r} was fitted with model {wanted.model!r} version "
                f"{wanted.version} of SHA-256 {wanted.digest[:12]}…, and this one has {digest[:12]}…: fit "
                "the judge again, or serve that model"
            )

    def asked(self, rate: float | None = None) -> AskedRate:
        """Returns what the data can tell of a rate of false alarms; by default the judge's own.

        Raises:
            InvalidRequest: the rate is no share, or finer than a tenth of one normal string.
        """
        rate = self.card.default_rate if rate is None else rate
        normal, finest = self.card.num_normal, self.finest_rate
        if not (math.isfinite(rate) and finest <= rate < 1):
            raise InvalidRequest(
                f"false_alarm_rate must be a number from {shown_least(finest)} to below 1 (is {rate:g}): the "
                f"judge {self.card.name!r} was calibrated on {normal:,} normal strings; fit it on more for "
                "finer rates",
                param="false_alarm_rate",
            )
        return asked_rate(rate, normal)

    def verdicts(
        self, strings: Sequence[str], logprobs: Sequence[Doubles], *, false_alarm_rate: float | None = None
    ) -> Verdicts:
        """Judges n strings by the log-probabilities of their symbols under the normal model.

        `logprobs` are float64 [characters + 1] with the end symbol's last for a model of lines, otherwise
        [characters]. A string without a symbol has the p-value 1.

        Raises:
            InvalidRequest: the rate as `asked`; a character that the model refuses.
            ValueError: the log-probabilities do not fit the strings.
        """
        asked = self.asked(false_alarm_rate)
        texts = [self.vocabulary.normalize(string) for string in strings]
        ids = self._encoded(strings)
        _check_lengths(ids, logprobs, self.vocabulary)
        ratios = self.log_ratios(ids, logprobs)
        combined = self.combined(texts, ids, logprobs, ratios)
        p_value = np.where([len(one) > 0 for one in logprobs], self._score.p_values(combined.score), 1.0)
        low, high = self._interval(p_value)
        flagged = p_value <= asked.rate
        return Verdicts(
            asked, combined.score, p_value, low, high, flagged, combined, texts, logprobs, self.kinds, ratios
        )

    def log_ratios(self, ids: Sequence[Ids], logprobs: Sequence[Doubles]) -> Doubles | None:
        """Returns how much likelier each string is as each kind, log [n, kinds]; None without references."""
        return log_ratios(self._references, ids, logprobs)

    def _encoded(self, strings: Sequence[str]) -> list[Ids]:
        try:
            return self.vocabulary.encode_all(strings)
        except KeyError as error:
            raise InvalidRequest(
                f"a string has the character {error.args[0]!r}, which the model "
                f"{self.card.normal.model!r} refuses",
                param="input",
            ) from None

    def combined(
        self, texts: Sequence[str], ids: Sequence[Ids], logprobs: Sequence[Doubles], ratios: Doubles | None
    ) -> Combined:
        """Returns the evidence against strings, by what `log_ratios` has found."""
        unknown = num_unknown(ids, self.vocabulary)
        evidence = evidence_of(self._combination, texts, logprobs, unknown)
        return self._combination.combine(evidence, None if ratios is None else mixture(ratios))

    def _interval(self, p_value: Doubles) -> tuple[Doubles, Doubles]:
        """Returns the bounds of the true share at each p-value, between those of the card's table."""
        order = np.argsort(self._rates)
        low, high = (
            np.exp(np.interp(np.log(p_value), self._rates[order], self._bounds[order, k])) for k in (0, 1)
        )
        least = math.exp(float(self._rates.min()))
        return np.where(p_value < least, 0.0, np.minimum(low, p_value)), np.maximum(high, p_value)


def asked_rate(rate: float, num_normal: int) -> AskedRate:
    """Returns what so many normal strings can tell of a rate of false alarms."""
    seen = rate * (num_normal + 1)
    low, high = clopper_pearson(math.floor(seen), num_normal)
    return AskedRate(rate, low, high, _warning(rate, seen, low, high, num_normal))


def num_unknown(ids: Sequence[Ids], vocabulary: Vocabulary) -> Doubles:
    """Returns the number of unknown characters of each string, float64 [n]."""
    unknown = vocabulary.unknown_id
    return np.array([0 if unknown is None else np.count_nonzero(one == unknown) for one in ids], dtype=float)


def evidence_of(
    combination: Combination, texts: Sequence[str], logprobs: Sequence[Doubles], unknown: Doubles
) -> Doubles:
    """Returns the surprisals of the evidence [n, evidence]; 0 for strings without a symbol."""
    has_symbols = np.array([len(one) > 0 for one in logprobs], dtype=bool)
    kept = np.flatnonzero(has_symbols).tolist()
    if not kept:
        return np.zeros((len(texts), len(EVIDENCE)))
    found = combination.evidence(
        statistics_of([texts[i] for i in kept], [logprobs[i] for i in kept]), unknown[has_symbols]
    )
    evidence = np.zeros((len(texts), found.shape[1]))
    evidence[has_symbols] = found
    return evidence


def log_ratios(
    references: ReferenceSet | None, ids: Sequence[Ids], logprobs: Sequence[Doubles]
) -> Doubles | None:
    """Returns log q_k(x) - log p(x) of each string and reference [n, references], or None without any."""
    if references is None:
        return None
    found: Doubles = references.logprobs(ids) - np.array([[one.sum()] for one in logprobs])
    return found


def mixture(ratios: Doubles) -> Doubles:
    """Returns the log ratio of the even mixture of the references [n], of those of each [n, references]."""
    found: Doubles = np.logaddexp.reduce(ratios, axis=1) - math.log(ratios.shape[1])
    return found


def _check_lengths(ids: Sequence[Ids], logprobs: Sequence[Doubles], vocabulary: Vocabulary) -> None:
    if len(ids) != len(logprobs):
        raise ValueError(f"{len(ids)} strings have {len(logprobs)} arrays of log-probabilities")
    end = vocabulary.end_id is not None
    for k, (one, given) in enumerate(zip(ids, logprobs, strict=True)):
        if len(given) != len(one) + end:
            raise ValueError(
                f"string {k} has {len(given)} log-probabilities, must have {len(one) + end}: its characters"
                + (" and the end symbol" if end else "")
            )


def models_beside(folder: Path) -> Path:
    """Returns the folder `models` beside the folder of judges that has a version's folder."""
    return folder.absolute().parent.parent.parent / "models"


def judges_beside(models: Path) -> Path:
    """Returns the folder `judges` beside that of models."""
    return models.absolute().parent / "judges"


def model_file(card: JudgeCard, models: Path, folder: Path) -> Path:
    """Finds the model of the judge in a folder; raises ModelFileError if it is gone or has changed."""
    wanted = card.normal
    version = models / wanted.model / wanted.version
    found = [path for name in STEP_GRAPHS if (path := version / name).is_file()]
    if not found:
        raise ModelFileError(
            f"{folder}: its model {wanted.model!r} version {wanted.version} is not in the folder "
            f"{str(models)!r}: bring it back, or fit the judge again"
        )
    digests = [digest_of(read_regular_file(path, max_bytes=MAX_MODEL_BYTES, kind="model")) for path in found]
    if wanted.digest not in digests:
        raise ModelFileError(
            f"{folder}: its model {wanted.model!r} version {wanted.version} has changed since the judge was "
            f"fitted (SHA-256 {digests[0][:12]}…, the judge has {wanted.digest[:12]}…): fit the judge again"
        )
    return found[digests.index(wanted.digest)]


def _warning(rate: float, seen: float, low: float, high: float, normal: int) -> str | None:
    """Says what the data cannot tell at a rate, or returns None if the interval is within a factor of two."""
    between = f"the true rate lies between {low:.2g} and {high:.2g} with 95 % confidence"
    if seen < 1:
        return (
            f"a false-alarm rate of {rate:g} is finer than {normal:,} normal strings can tell: it is "
            f"extrapolated with an exponential tail; {between}"
        )
    if high > 2 * rate or low < rate / 2:
        return f"at a false-alarm rate of {rate:g} only {seen:.1f} of {normal:,} strings decide: {between}"
    return None
